"""The words of the shorthand, and which of them a word that does not exist was meant to be."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

NAME = "PrivateImage"

_LETTERS = sorted(set(NAME.lower()))
_COUNTS = [NAME.lower().count(letter) for letter in _LETTERS]


@lru_cache(maxsize=1024)  # a template has the same few keys over and over
def is_near_name(word: str) -> bool:
    """Whether a word is not `PrivateImage` but was likely meant to be: `PrivatImage`,
    `privateImages`, `Private-Image`.

    It has its letters in any order, one more or up to three fewer, so that no key that a container
    has is near it.
    """
    if word == NAME or not 9 <= len(word) <= 2 * len(NAME):
        return False
    folded = word.lower()
    shared = sum(map(min, map(folded.count, _LETTERS), _COUNTS))
    return shared >= 9 and shared >= sum(map(str.isalpha, folded)) - 1


def did_you_mean(word: str, words: Sequence[str]) -> str:
    """The fix for a key that does not exist: the one that was likely meant, or all that do."""
    near = nearest(word, words)
    if near:
        return f"Did you mean {near}?"
    *most, last = words
    return f"Write {', '.join(most)} or {last}."


def nearest(word: str, words: Sequence[str]) -> str | None:
    """The one of the words that a word was likely meant to be."""
    from difflib import get_close_matches  # slow to import, and seldom needed

    folded = {name.lower(): name for name in words}
    near = get_close_matches(word.lower(), folded, n=1, cutoff=0.5)
    return folded[near[0]] if near else None
