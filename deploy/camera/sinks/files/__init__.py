"""Results in files: lines, images, videos, and how long they stay."""
