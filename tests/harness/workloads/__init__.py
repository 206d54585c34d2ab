"""What checkers may conclude, and what they must not."""
