"""Difference of two JSON values as text: each path with the old and the new value."""

from __future__ import annotations

from collections.abc import Iterator

from flytemp.literals.types import Json
from flytemp.spec.canonical import dumps

MAX_DIFFERENCES = 20
_MAX_VALUE = 200
_ABSENT = object()


def difference(old: Json, new: Json) -> str:
    """Return one entry per path whose values differ, at most `MAX_DIFFERENCES`::

        /task/settings/retries/count:
                - 1
                + 2

    The path is a JSON pointer (RFC 6901). The text is empty if the values are equal.
    """
    shown: list[str] = []
    total = 0
    for path, before, after in _differences("", old, new):
        total += 1
        if total <= MAX_DIFFERENCES:
            shown.append(f"{path or '/'}:\n\t- {_text(before)}\n\t+ {_text(after)}")
    if total > MAX_DIFFERENCES:
        shown.append(f"… and {total - MAX_DIFFERENCES} more")
    return "\n".join(shown)


def _differences(path: str, old: Json, new: Json) -> Iterator[tuple[str, Json, Json]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            below = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
            yield from _differences(below, old.get(key, _ABSENT), new.get(key, _ABSENT))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            before = old[index] if index < len(old) else _ABSENT
            after = new[index] if index < len(new) else _ABSENT
            yield from _differences(f"{path}/{index}", before, after)
    elif old is _ABSENT or new is _ABSENT or dumps(old) != dumps(new):  # 1, 1.0 and true are equal only to Python
        yield path, old, new


def _text(value: Json) -> str:
    if value is _ABSENT:
        return "(absent)"
    text = dumps(value)
    return text if len(text) <= _MAX_VALUE else f"{text[:_MAX_VALUE]}… ({len(text)} characters)"
