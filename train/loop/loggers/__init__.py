"""Where the figures of a training go beside ``metrics.csv``: TensorBoard, MLflow, Weights & Biases."""
