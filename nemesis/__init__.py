"""Faults, and when to inject them: what they need of a world is named in `nemesis.powers`, never which world or system."""
