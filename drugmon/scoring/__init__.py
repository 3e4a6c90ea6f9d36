"""Scoring: the engine that turns reviews into verdicts, the scorer that skips known ones, and
which words moved a verdict.
"""
