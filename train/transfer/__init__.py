"""Training that starts from weights: fine-tuning and growing."""
