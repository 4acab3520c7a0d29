"""The Open Inference Protocol V2 over HTTP: the same predictions for clients that speak tensors."""
