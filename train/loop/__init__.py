"""The training loop, from its start to its end, and what it writes."""
