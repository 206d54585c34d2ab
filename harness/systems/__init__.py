"""Systems under test: one file a system. A file says how a node of it is built, and how clients and inspectors talk
to it.
"""
