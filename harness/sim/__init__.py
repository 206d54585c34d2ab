"""The simulated world's parts: time, network, disk. They know nothing of any system that runs in them."""
