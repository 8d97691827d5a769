"""Cameras that give JPEGs over HTTP: a stream of them, or one for each request."""
