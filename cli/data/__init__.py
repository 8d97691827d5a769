"""The commands ``fusedet data ...``."""
