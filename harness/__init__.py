"""The harness: puts a system, a workload and faults in one room, and lets the checkers decide."""
