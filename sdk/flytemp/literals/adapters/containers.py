"""Adapters of lists, tuples and dicts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flytemp.literals.adapters.base import Adapter, Fit
from flytemp.literals.keys import key_from_text, map_key
from flytemp.literals.mismatch import Refused, expected
from flytemp.literals.transfer import FileTransfer
from flytemp.literals.types import Json, ListType, LiteralType, MapType, TupleType


class ListAdapter(Adapter):
    """Adapter of ``list[T]``, and of ``tuple[T, ...]``, which has the same type in a spec."""

    kind = "list"

    def __init__(self, item: Adapter, python: type[list[Any]] | type[tuple[Any, ...]]) -> None:
        self._item = item
        self._python = python
        self.label = f"list[{item.label}]" if python is list else f"tuple[{item.label}, ...]"

    def describe(self, around: tuple[Adapter, ...]) -> LiteralType:
        return ListType(item=self._item.describe(around))

    def fits(self, value: Any) -> Fit:
        if not isinstance(value, self._python):
            return Fit.NO
        own = Fit.EXACT if type(value) is self._python else Fit.LOOSE
        return min(own, _least(self._item.fits(item) for item in value))

    def encode(self, value: Any, files: FileTransfer | None) -> Json:
        if not isinstance(value, self._python):
            raise self.mismatch(value, _sequence_hint(self._python, value))
        encode = self._item.encode
        encoded: list[Json] = []
        try:
            for item in value:
                encoded.append(encode(item, files))
        except Refused as refused:
            raise refused.within(len(encoded)) from refused.__cause__
        return encoded

    def decode(self, literal: Json, files: FileTransfer | None) -> Any:
        if not isinstance(literal, list):
            raise expected("a list", literal)
        decode = self._item.decode
        decoded: list[Any] = []
        try:
            for item in literal:
                decoded.append(decode(item, files))
        except Refused as refused:
            raise refused.within(len(decoded)) from refused.__cause__
        return decoded if self._python is list else tuple(decoded)


class TupleAdapter(Adapter):
    """Adapter of ``tuple[A, B]``."""

    kind = "tuple"

    def __init__(self, items: tuple[Adapter, ...]) -> None:
        self._items = items
        self.label = f"tuple[{', '.join(item.label for item in items) or '()'}]"

    def describe(self, around: tuple[Adapter, ...]) -> LiteralType:
        return TupleType(items=tuple(item.describe(around) for item in self._items))

    def fits(self, value: Any) -> Fit:
        if not isinstance(value, tuple) or len(value) != len(self._items):
            return Fit.NO
        own = Fit.EXACT if type(value) is tuple else Fit.LOOSE
        return min(own, _least(item.fits(part) for item, part in zip(self._items, value, strict=True)))

    def encode(self, value: Any, files: FileTransfer | None) -> Json:
        if not isinstance(value, tuple) or len(value) != len(self._items):
            raise self.mismatch(value, _sequence_hint(tuple, value))
        return [_encode_at(index, item, part, files) for index, (item, part) in enumerate(zip(self._items, value, strict=True))]

    def decode(self, literal: Json, files: FileTransfer | None) -> Any:
        if not isinstance(literal, list) or len(literal) != len(self._items):
            raise expected(f"a list of {len(self._items)}", literal)
        return tuple(
            _decode_at(index, item, part, files) for index, (item, part) in enumerate(zip(self._items, literal, strict=True))
        )


class MapAdapter(Adapter):
    """Adapter of ``dict[K, V]``."""

    kind = "map"

    def __init__(self, key: Adapter, value: Adapter) -> None:
        self._key = key
        self._value = value
        self._key_type = key.type
        self.label = f"dict[{key.label}, {value.label}]"

    def describe(self, around: tuple[Adapter, ...]) -> LiteralType:
        return MapType(key=self._key_type, value=self._value.describe(around))

    def fits(self, value: Any) -> Fit:
        if not isinstance(value, dict):
            return Fit.NO
        own = Fit.EXACT if type(value) is dict else Fit.LOOSE
        keys = _least(self._key.fits(key) for key in value)
        return min(own, keys, _least(self._value.fits(item) for item in value.values()))

    def encode(self, value: Any, files: FileTransfer | None) -> Json:
        if not isinstance(value, dict):
            raise self.mismatch(value)
        encoded: dict[str, Json] = {}
        for key, item in value.items():
            text = map_key(_encode_at(str(key), self._key, key, files))
            if text in encoded:
                raise Refused(f"two keys have the text {text!r}", hint="the JSON texts of the keys must differ")
            encoded[text] = _encode_at(text, self._value, item, files)
        return encoded

    def decode(self, literal: Json, files: FileTransfer | None) -> Any:
        if not isinstance(literal, dict):
            raise expected("a JSON object", literal)
        decoded: dict[Any, Any] = {}
        for text, item in literal.items():
            try:
                key = self._key.decode(key_from_text(text, self._key_type), files)
            except Refused as refused:
                raise refused.within(text) from refused.__cause__
            decoded[key] = _decode_at(text, self._value, item, files)
        return decoded


def _encode_at(step: str | int, adapter: Adapter, value: Any, files: FileTransfer | None) -> Json:
    try:
        return adapter.encode(value, files)
    except Refused as refused:
        raise refused.within(step) from refused.__cause__


def _decode_at(step: str | int, adapter: Adapter, literal: Json, files: FileTransfer | None) -> Any:
    try:
        return adapter.decode(literal, files)
    except Refused as refused:
        raise refused.within(step) from refused.__cause__


def _least(fits: Iterable[Fit]) -> Fit:
    least = Fit.EXACT
    for fit in fits:
        if fit is Fit.NO:
            return Fit.NO
        least = min(least, fit)
    return least


def _sequence_hint(python: type, value: Any) -> str | None:
    if isinstance(value, list | tuple | set | frozenset | range):
        return f"convert it: {python.__name__}(value)" if not isinstance(value, python) else None
    return None
