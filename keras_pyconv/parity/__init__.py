"""Our networks in PyTorch, from the same descriptions."""
