"""Claims about faults, the schedule and the runner; none of them needs a real node."""
