"""Boxes and their texts in images."""
