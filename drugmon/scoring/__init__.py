"""Scoring: the engine that turns reviews into verdicts, and the scorer that skips known ones."""
