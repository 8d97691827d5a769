"""Zones and lines in the image, and what objects do there."""
