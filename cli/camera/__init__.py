"""The commands that run on a camera: ``fusedet run``, ``fusedet service``."""
