"""The study of activations: accuracy, dead units, fused graphs."""
