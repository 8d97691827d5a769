"""Cameras that are attached to the machine itself."""
