"""The worlds: one file a way to run nodes. The same scenario runs in each of them."""
