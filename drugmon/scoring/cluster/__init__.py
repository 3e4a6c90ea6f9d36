"""The engine on Ray: workers that each load the adapter once and score pieces of the sources.

May import everything below scoring, and the engine of one machine. Only this wing imports ray.
"""
