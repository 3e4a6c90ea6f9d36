"""Statistics in numpy alone: tests, intervals, corrections, and figures of quality.

Knows no files, tables or rows of reviews; imports only the words of the labels.
"""
