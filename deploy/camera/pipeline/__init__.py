"""Cameras that are watched for months: capture, inference and outputs, each on a thread of its own."""
