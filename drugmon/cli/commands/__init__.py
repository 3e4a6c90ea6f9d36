"""The commands, one module a group: each builds a config and calls one workflow.

May import everything below; workflows only inside a command, so that help stays fast.
"""
