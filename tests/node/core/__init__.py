"""Tests of the core: one file a module, and a cluster of bare nodes to talk in."""
