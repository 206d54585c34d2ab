"""Tests are documents: each states one claim, and mirrors the source that it is about."""
