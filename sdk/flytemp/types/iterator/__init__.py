"""flytekit's types of iterators. Tasks exchange lists and files instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, Union

from flytemp.porting.finder import other_names

JSONCollection: TypeAlias = Union[dict[str, Any], list[Any]]  # noqa: UP007 - the alias is evaluated
JSONScalar: TypeAlias = Union[bool, float, int, str]  # noqa: UP007
JSON: TypeAlias = Union[JSONCollection, JSONScalar]  # noqa: UP007

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
