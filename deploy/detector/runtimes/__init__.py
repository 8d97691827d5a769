"""What computes a network on a board, beside ONNX Runtime: each in a file of its own, all with the calls of one protocol."""
