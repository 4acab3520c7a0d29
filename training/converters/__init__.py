"""How what skl2onnx does not know becomes a part of a graph."""
