"""From annotation files and images to batches: reading, augmentation, checks, conversion."""
