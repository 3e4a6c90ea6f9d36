"""Two adapters, one behind the other: the second judges again what the first is least sure of.

What is doubted, how the evidence of both is joined, and the engine. Imports scoring's modules.
"""
