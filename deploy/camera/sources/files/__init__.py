"""Images and videos from files."""
