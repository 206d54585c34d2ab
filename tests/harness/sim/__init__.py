"""Tests of the simulation: loop, network, disk, trace."""
