"""One body of tests for everything that implements the same port."""
