"""Workflows: one wing or module a command, each reads as its pipeline; they print nothing.

May import everything below the command line.
"""
