"""What the network is to predict, and what it costs to be wrong."""
