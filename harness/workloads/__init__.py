"""What clients do: one file a workload. Operations are data with symbolic contexts, so that any world can repeat
them.
"""
