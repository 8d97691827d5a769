"""Annotations by detectors."""
