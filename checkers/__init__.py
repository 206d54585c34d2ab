"""Histories, and what may be concluded from them.

Nothing here knows a system, a world or a network: a checker sees a recorded history and nothing else, so that it
judges any store in the same way, today or a year after the run.
"""
