"""What the networks find beside their peers, learned from scratch on the same images."""
