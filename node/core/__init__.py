"""The protocol and nothing else: facts in, commands out, no clock, no socket, no file, no task."""
