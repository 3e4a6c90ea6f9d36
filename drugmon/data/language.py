"""A hint at the language of texts, by the commonest words of some languages and by alphabets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

ENGLISH: Final = "English"

_COMMON: Final = {
    ENGLISH: "the and to of it is was my have for this with not but on me that had been after",
    "German": "und der die das ich nicht ist es mit ein eine zu auf für habe sich den von auch",
    "French": "le la les et des je est pas un une pour que du dans en mais avec sur mon ce",
    "Spanish": "el la los que de y en un una no me es por con para lo muy pero las del",
    "Italian": "il di che è non un una per con ho mi ma sono della più dopo anche questo molto gli",
    "Portuguese": "o que de e não um uma com para eu me os do da mas muito em meu por foi",
    "Dutch": "de het een ik en van niet is dat met voor maar op heb te er aan ook bij mijn",
}
"""Some twenty of each language's commonest words."""

_WORDS: Final = {language: frozenset(words.split()) for language, words in _COMMON.items()}
_LEAST_WORDS: Final = 50
_LEAST_SHARE: Final = 0.1
"""Of the words of English reviews more than a third are among the twenty."""

_WORD: Final = re.compile(r"[^\W\d_]+")
_FOREIGN: Final = re.compile(
    "[\u0370-\u03ff\u0400-\u052f\u0590-\u05ff\u0600-\u06ff\u0900-\u097f\u0e00-\u0e7f"
    "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
)


class LanguageHint:
    """Counts words; `language` is that of most of them, None where they do not tell."""

    def __init__(self) -> None:
        self._words = 0
        self._foreign = 0
        self._common: Counter[str] = Counter()

    def add(self, texts: Iterable[str]) -> None:
        """Count the words of `texts`; none of them is kept."""
        for text in texts:
            words = _WORD.findall(text.casefold())
            self._words += len(words)
            self._foreign += len(_FOREIGN.findall(text))
            for language, common in _WORDS.items():
                self._common[language] += sum(word in common for word in words)

    @property
    def language(self) -> str | None:
        """A language's name, "another alphabet than the Latin", or None."""
        if self._words < _LEAST_WORDS:
            return None
        if self._foreign > self._words:
            return "another alphabet than the Latin"
        (language, count), *_ = self._common.most_common(1)
        return language if count >= _LEAST_SHARE * self._words else None
