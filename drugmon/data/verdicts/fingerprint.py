"""The fingerprint of a review: equal exactly where scoring again would give the same verdicts."""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct
from typing import Final

from drugmon.data.reviews import Texts, is_invisible

SCORING_VERSION: Final = 1
"""To be raised whenever cleaning, layout or anything else that shapes a verdict changes in code."""

_LENGTHS: Final = Struct("<4q")


class Fingerprinter:
    """Fingerprints reviews for one way of scoring them.

    Args:
        context: whatever else decides the verdicts: the adapter's digest and the options that
            change the output. `SCORING_VERSION` is mixed in here.
    """

    def __init__(self, context: str) -> None:
        key = blake2b(f"{SCORING_VERSION}:{context}".encode(), digest_size=32).digest()
        self._start = blake2b(digest_size=16, key=key)

    def of(self, texts: Texts) -> str:
        """Return 32 hex characters over the raw texts; null, empty and shifted texts differ."""
        digest = self._start.copy()
        digest.update(_LENGTHS.pack(*[-1 if text is None else len(text) for text in texts]))
        # Lone surrogates are legal in JSON strings, hence surrogatepass.
        joined = "".join([text for text in texts if text])
        digest.update(joined.encode("utf-8", "surrogatepass"))
        if any(map(is_invisible, texts)):  # such a text got a verdict once, and is none any more
            digest.update(b"\0invisible")
        return digest.hexdigest()
