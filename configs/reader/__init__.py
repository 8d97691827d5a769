"""Reads the YAML that users write, checks it, changes it, and describes what it may hold."""
