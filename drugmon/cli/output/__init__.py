"""What the commands print: tables for people, JSON for programs, last lines for grep.

The one place that prints; it is handed results and asks for nothing.
"""
