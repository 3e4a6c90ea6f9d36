"""Bearer tokens: who may ask."""

from __future__ import annotations

import hmac
from hashlib import sha256
from pathlib import Path
from typing import Final

from drugmon.errors import SettingsError

SHORTEST: Final = 16
_SCHEME: Final = "bearer "


class Tokens:
    """The tokens of a file, one a line; lines that begin with `#` are comments.

    Raises:
        SettingsError: the file cannot be read, holds none, or one that is too easily guessed.
    """

    def __init__(self, path: Path) -> None:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise SettingsError(f"{path}: the tokens cannot be read: {reason}") from None
        self._digests: list[bytes] = []
        for number, line in enumerate(map(str.strip, lines), 1):
            if line and not line.startswith("#"):
                if len(line) < SHORTEST or not line.isascii() or " " in line:
                    raise SettingsError(
                        f"{path}, line {number}: a token has at least {SHORTEST} characters, ASCII "
                        "and no spaces; make one with: openssl rand -hex 32"
                    )
                self._digests.append(_digest(line))
        if not self._digests:
            raise SettingsError(f"{path}: has no token; make one with: openssl rand -hex 32")

    def admit(self, authorization: str) -> bool:
        """Whether a header `Authorization` has one of them; takes as long for any wrong one."""
        if not authorization.lower().startswith(_SCHEME):
            return False
        given = _digest(authorization[len(_SCHEME) :].strip())
        return sum(hmac.compare_digest(given, digest) for digest in self._digests) > 0


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
