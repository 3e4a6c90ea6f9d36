"""Reviews in object stores: their URIs, how they are fetched and put back, what this machine keeps.

May import fsspec, where it is called, and the ground level; knows nothing of formats and verdicts.
"""
