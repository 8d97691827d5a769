"""Zones and lines in the picture, and what objects do there."""
