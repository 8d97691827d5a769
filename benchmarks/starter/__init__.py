"""The starter weights: their training, evaluation and model card."""
