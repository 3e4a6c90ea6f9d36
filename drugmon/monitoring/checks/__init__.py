"""What is judged: two profiles compared, check by check, and weighed by the gate.

May import `profiles` and all that it may.
"""
