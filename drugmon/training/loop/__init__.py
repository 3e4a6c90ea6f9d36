"""The training loop: batches, loss, optimizer, validation, checkpoint.

May import `reviews`.
"""
