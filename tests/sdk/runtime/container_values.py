"""Values of every kind: type, literal, and content of the file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any, Literal


class Size(Enum):
    SMALL = 1
    LARGE = 2


@dataclass
class Point:
    x: int
    label: str


VALUES: dict[str, tuple[Any, Any, bytes]] = {
    "integer": (int, -3, b"-3"),
    "large integer": (int, 2**62, b"4611686018427387904"),
    "float": (float, 2.0, b"2.0"),
    "nan": (float, "NaN", b"NaN"),
    "boolean": (bool, False, b"false"),
    "text": (str, "grüße, {{.inputs.x}}", "grüße, {{.inputs.x}}".encode()),
    "empty text": (str, "", b""),
    "text of lines": (str, "a\r\nb\n\nc", b"a\r\nb\n\nc"),
    "datetime": (datetime, "2026-01-31T12:00:00Z", b"2026-01-31T12:00:00Z"),
    "date": (date, "2026-01-31", b"2026-01-31"),
    "duration": (timedelta, "PT1H30M", b"PT1H30M"),
    "bytes": (bytes, "AP8K", b"\x00\xff\n"),
    "enum": (Size, 2, b"2"),
    "choice": (Literal["a", "b"], "b", b"b"),
    "list": (list[str], ["a", "ä"], '["a","ä"]'.encode()),
    "map": (dict[str, int], {"b": 1, "a": 2}, b'{"b":1,"a":2}'),
    "struct": (Point, {"x": 1, "label": "p"}, b'{"x":1,"label":"p"}'),
    "any": (dict, {"a": [1, None]}, b'{"a":[1,null]}'),
    "optional": (int | None, 5, b"5"),
    "union": (int | str, "five", b"five"),
    "union's number": (int | str, 5, b"5"),
    "optional list": (list[int] | None, [1], b"[1]"),
}
