"""Files of other projects: fused, and what stands in the way."""
