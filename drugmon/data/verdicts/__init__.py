"""Verdicts kept: their columns, the journal of a run, reuse by fingerprint, replacing a file whole.

May import `formats` and the modules of `data`.
"""
