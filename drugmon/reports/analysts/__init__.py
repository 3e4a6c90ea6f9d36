"""Pages for analysts: evidently on samples of both sides, in a process of its own.

The only place that imports evidently.
"""
