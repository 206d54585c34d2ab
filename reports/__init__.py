"""Runs as people and machines read them: terminal, HTML, JUnit, Markdown, pictures.

Nothing here knows a system or a world: a report sees a history and verdicts, and nothing else.
"""
