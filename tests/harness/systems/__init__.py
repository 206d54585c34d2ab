"""Tests of systems under test that the harness brings along."""
