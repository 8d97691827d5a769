"""The settings of ``fusedet run``."""
