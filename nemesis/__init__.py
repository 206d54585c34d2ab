"""Faults, and when to inject them.

What a fault needs of a world is named in `nemesis.powers`; which world grants it, and over which system, is not known
here.
"""
