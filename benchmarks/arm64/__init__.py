"""What the networks cost on ARM64."""
