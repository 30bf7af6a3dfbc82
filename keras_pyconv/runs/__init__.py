"""The folder of a run and its checkpoints: what is kept, and how."""
