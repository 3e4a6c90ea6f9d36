"""Workflows: one module a command, each reads as its pipeline and prints nothing."""
