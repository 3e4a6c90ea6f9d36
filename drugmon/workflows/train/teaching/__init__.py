"""Teaching: what adapters say of the reviews that another one learns from, always out of fold.

`teachers` finds them, `lessons` which reviews each may speak of, `teach` asks.
"""
