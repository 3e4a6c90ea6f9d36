"""Reviews as tokens: what an encoder reads, the prompts of a seq2seq base, batches of both.

May import `bases`.
"""
