"""What is counted: aggregates of scored reviews that hold no text, built, read and merged.

May import `data`, `models` and `statistics`, not `checks`.
"""
