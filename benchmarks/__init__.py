"""Measurements of the shipped code. Each prints what it measured, and judges nothing."""
