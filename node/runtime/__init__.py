"""The shell around the core: one host, and the adapters that join it to a real machine."""
