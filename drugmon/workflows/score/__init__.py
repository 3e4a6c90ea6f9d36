"""Scoring files, streams and tables: `score` is the command, the others its parts.

May import everything below workflows.
"""
