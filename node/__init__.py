"""The reference Dynamo node: a pure protocol core, the shell that runs it, and a client library.

Nothing here knows of testing, of faults, or of the kind of world that the node runs in.
"""
