"""Tensors in, tensors out: no variables, no layers, no paper names."""
