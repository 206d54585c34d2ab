"""Tests of the shell that runs a node."""
