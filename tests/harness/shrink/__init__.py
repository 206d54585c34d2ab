"""What may be left out of a run, and what is left of it."""
