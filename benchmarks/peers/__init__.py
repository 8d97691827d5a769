"""Other projects' detectors: their files, data formats and measurements."""
