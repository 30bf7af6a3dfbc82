"""The proof, in fresh processes, that a SavedModel can be served."""
