"""What a server of a model takes and gives, and how that is made."""
