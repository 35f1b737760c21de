"""Hints for misspelt names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], count: int = 1, similarity: float = 0.6) -> list[str]:
    """Return the known names that are similar to ``name``, the most similar first.

    Args:
        name: the name that does not exist.
        known: the names that exist.
        count: maximum number of names.
        similarity: minimum similarity, from 0 to 1.
    """
    return difflib.get_close_matches(name, list(known), count, similarity)


def suggest(name: str, known: Iterable[str], otherwise: str) -> str:
    """Return the hint "did you mean 'train'?" with the most similar known name, or ``otherwise`` if none is similar."""
    near = nearest(name, known)
    return f"did you mean {near[0]!r}?" if near else otherwise
