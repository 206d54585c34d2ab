"""What an exploration may lose, and where it may run."""
