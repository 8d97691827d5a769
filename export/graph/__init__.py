"""The ONNX graph: tracing, fusion, number formats."""
