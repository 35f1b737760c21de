"""Annotations behind aliases: ``NewType``, and ``type Ids = list[int]``."""

from __future__ import annotations

import typing
from typing import Any, get_args, get_origin

import typing_extensions

# Before Python 3.14, the class of typing_extensions differs from that of the ``type`` statement.
_ALIAS_CLASSES = tuple({typing_extensions.TypeAliasType, getattr(typing, "TypeAliasType", typing_extensions.TypeAliasType)})


def unaliased(annotation: Any) -> Any:
    """Return the annotation without aliases around it, and ``NoneType`` for None."""
    while True:
        target = _target(annotation)
        if target is annotation:
            return annotation
        annotation = target


def _target(annotation: Any) -> Any:
    if annotation is None:
        return type(None)
    if isinstance(annotation, typing.NewType):
        return annotation.__supertype__
    if isinstance(annotation, _ALIAS_CLASSES):
        return annotation.__value__
    origin = get_origin(annotation)
    if isinstance(origin, _ALIAS_CLASSES):  # ``Pair[int]`` of ``type Pair[T] = tuple[T, T]``
        arguments = dict(zip(origin.__type_params__, get_args(annotation), strict=True))
        value = origin.__value__
        parameters = getattr(value, "__parameters__", ())
        return value[tuple(arguments[each] for each in parameters)] if parameters else arguments.get(value, value)
    return annotation
