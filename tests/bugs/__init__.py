"""Planted bugs: each file is a node with one part replaced, and says which scenario and which checker must convict
it.

`python -m tests.bugs.NAME --config FILE` is a node with that bug, for the worlds with real processes. The shipped
node never loads one.

`SCENARIO` with `OPTIONS` is where `CHECKER` must convict within `SEEDS` seeds; `calm` with `CALM` must be valid.
`PINNED` are the unit tests that pin the replaced part, and so fail with it; all others pass.
"""
