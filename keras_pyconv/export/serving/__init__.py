"""Folders that TF Serving reads: a version, its warm-up, its files beside."""
