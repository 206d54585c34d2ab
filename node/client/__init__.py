"""The client library: requests to any node, outcomes that admit what is not known."""
