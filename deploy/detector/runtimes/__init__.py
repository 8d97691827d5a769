"""What computes a network beside ONNX Runtime, each in a file of its own, all with the calls of one protocol."""
