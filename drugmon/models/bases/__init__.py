"""Bases: the pretrained models, found, verified and loaded from this machine or the hub.

Imports nothing of the other wings.
"""
