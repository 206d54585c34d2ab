"""The tests: they mirror the source; beside them conformance, paper, bugs and histories."""
