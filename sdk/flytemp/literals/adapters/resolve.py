"""From an annotation to its adapter."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import os
import pathlib
import types
import typing
from collections.abc import Callable, Hashable
from enum import Enum
from functools import lru_cache
from typing import Annotated, Any, Literal, NoReturn, TypeVar, Union, cast, get_args, get_origin

import typing_extensions
from pydantic import BaseModel

from flytemp.errors import NotSupported
from flytemp.literals.adapters.base import Adapter
from flytemp.literals.adapters.blobs import BlobAdapter, PathAdapter
from flytemp.literals.adapters.containers import ListAdapter, MapAdapter, TupleAdapter
from flytemp.literals.adapters.literals import enum_adapter, literal_adapter
from flytemp.literals.adapters.models import model_adapter
from flytemp.literals.adapters.scalars import SCALARS, AnyAdapter, ScalarAdapter
from flytemp.literals.adapters.structs import DataclassAdapter, NamedTupleAdapter, TypedDictAdapter
from flytemp.literals.adapters.unions import UnionAdapter
from flytemp.literals.keys import may_be_key
from flytemp.types.directory import FlyteDirectory
from flytemp.types.file import FlyteFile

_CACHED = 4096  # annotations; a program has hundreds


def adapter_for(annotation: Any) -> Adapter:
    """The adapter of an annotation whose texts are resolved.

    Raises:
        NotSupported: naming the annotation and what to use in its place.
    """
    if isinstance(annotation, Hashable):
        try:
            return _cached(annotation)
        except TypeError:  # unhashable inside, as Annotated[int, []] is
            return _resolve(annotation)
    return _resolve(annotation)


@lru_cache(maxsize=_CACHED)
def _cached(annotation: Any) -> Adapter:
    return _resolve(annotation)


def _resolve(annotation: Any) -> Adapter:
    if isinstance(annotation, str | typing.ForwardRef):
        raise NotSupported(
            f"the annotation {annotation!r} is a text that was not resolved",
            hint="define or import the name at the top of the module, not under TYPE_CHECKING",
        )
    origin = get_origin(annotation)
    if origin is not None:
        return _resolve_generic(annotation, origin, get_args(annotation))
    if annotation is None:
        annotation = type(None)
    if annotation is Any or annotation is object:
        return AnyAdapter()
    if isinstance(annotation, typing.NewType):
        return adapter_for(annotation.__supertype__)
    if isinstance(annotation, typing_extensions.TypeAliasType):
        return adapter_for(annotation.__value__)
    if isinstance(annotation, type):
        return _resolve_class(annotation)
    _refuse(annotation)


def _resolve_class(cls: type) -> Adapter:
    if cls in SCALARS:
        return ScalarAdapter(SCALARS[cls])
    if cls in (list, dict):
        return AnyAdapter(cls)
    if typing_extensions.is_typeddict(cls):
        return TypedDictAdapter(cls, cls.__name__, adapter_for)
    if cls is os.PathLike:
        return BlobAdapter(FlyteFile, "file", "PathLike")
    for matches, make in _CLASSES:
        if matches(cls):
            return make(cls)
    _refuse(cls)


def _resolve_generic(annotation: Any, origin: Any, arguments: tuple[Any, ...]) -> Adapter:
    if origin is Annotated:
        return adapter_for(arguments[0])
    if origin is Literal:
        return _literal(arguments)
    if origin is Union or origin is types.UnionType:
        return _union([adapter_for(argument) for argument in arguments])
    if origin is tuple:
        return _tuple(annotation, arguments)
    if origin in (list, dict) and not arguments:  # typing.List, typing.Dict
        return AnyAdapter(origin)
    if origin is list:
        return ListAdapter(adapter_for(arguments[0]), list)
    if origin is dict:
        return _map(annotation, arguments)
    if origin is os.PathLike:
        return adapter_for(os.PathLike)
    if isinstance(origin, type) and dataclasses.is_dataclass(origin):
        names = ", ".join(adapter_for(argument).label for argument in arguments)
        parameters = dict(zip(getattr(origin, "__parameters__", ()), arguments, strict=False))
        return DataclassAdapter(origin, f"{origin.__name__}[{names}]", adapter_for, parameters)
    _refuse(annotation)


def _literal(values: tuple[Any, ...]) -> Adapter:
    plain = tuple(value for value in values if value is not None)
    variants: list[Adapter] = [literal_adapter(plain)] if plain else []
    if len(plain) < len(values):
        variants.append(adapter_for(None))
    return _union(variants)


def _union(adapters: list[Adapter]) -> Adapter:
    flat: list[Adapter] = []
    for adapter in adapters:
        for variant in adapter.variants if isinstance(adapter, UnionAdapter) else (adapter,):
            if variant not in flat:  # two spellings of one annotation share the cached adapter
                flat.append(variant)
    return flat[0] if len(flat) == 1 else UnionAdapter(flat)


def _tuple(annotation: Any, arguments: tuple[Any, ...]) -> Adapter:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return ListAdapter(adapter_for(arguments[0]), tuple)
    if not arguments and annotation is typing.Tuple:  # noqa: UP006 - the bare name, without arguments
        _refuse(annotation)
    return TupleAdapter(tuple(adapter_for(argument) for argument in arguments))


def _map(annotation: Any, arguments: tuple[Any, ...]) -> Adapter:
    key, value = adapter_for(arguments[0]), adapter_for(arguments[1])
    if not may_be_key(key.type):
        raise NotSupported(
            f"{_shown(annotation)}: {key.label} cannot be the key of a dict",
            hint="keys are str, int, bool, float, date, datetime, timedelta or an Enum; or use a list of pairs",
        )
    return MapAdapter(key, value)


def _refuse(annotation: Any) -> NoReturn:
    raise NotSupported(f"flytemp has no type for the annotation {_shown(annotation)}", hint=_remedy(annotation))


def _shown(annotation: Any) -> str:
    if isinstance(annotation, type) and not get_args(annotation):
        return f"{annotation.__module__}.{annotation.__qualname__}".removeprefix("builtins.")
    return str(annotation)


def _remedy(annotation: Any) -> str:
    origin = get_origin(annotation) or annotation
    if isinstance(annotation, TypeVar):
        return "a task's types are known when it is compiled: write the class in place of the type variable"
    if origin in _REMEDIES:
        return _REMEDIES[origin]
    module = str(getattr(origin, "__module__", "")).partition(".")[0]
    if module in ("pandas", "polars", "pyarrow"):
        return 'write the frame to a file and pass it as FlyteFile["parquet"]'
    if module in ("numpy", "torch", "tensorflow", "sklearn", "PIL", "matplotlib"):
        return "save the object to a file and pass it as FlyteFile"
    return "use a dataclass or a pydantic model, or save the object to a file and pass it as FlyteFile"


_AS_LIST = "use list[…] and convert inside the task"
_REMEDIES: dict[Any, str] = {
    tuple: "say what is in it: tuple[int, str], or tuple[int, ...]",
    set: _AS_LIST,
    frozenset: _AS_LIST,
    range: _AS_LIST,
    collections.abc.Sequence: "use list[…]",
    collections.abc.Iterable: "use list[…]",
    collections.abc.Iterator: "use list[…], or write a file and pass it as FlyteFile",
    collections.abc.Generator: "use list[…], or write a file and pass it as FlyteFile",
    collections.abc.Mapping: "use dict[…, …]",
    collections.abc.Callable: "code does not travel as a value; pass a name and look the function up in the task",
    complex: "use tuple[float, float]",
    bytearray: "use bytes",
    datetime.time: "use str, or a datetime or timedelta",
    Enum: "use an Enum of your own, with members",
    NoReturn: "annotate with None when nothing is returned",
}

_CLASSES: tuple[tuple[Callable[[type], bool], Callable[[Any], Adapter]], ...] = (
    (lambda cls: issubclass(cls, Enum) and cls.__module__ != "enum", enum_adapter),
    (lambda cls: issubclass(cls, FlyteFile), lambda cls: BlobAdapter(cls, "file", cls.__name__)),
    (lambda cls: issubclass(cls, FlyteDirectory), lambda cls: BlobAdapter(cls, "directory", cls.__name__)),
    (lambda cls: issubclass(cls, pathlib.Path), lambda cls: PathAdapter(BlobAdapter(FlyteFile, "file", "Path"))),
    (
        lambda cls: issubclass(cls, BaseModel) and cls is not BaseModel,
        lambda cls: model_adapter(cast("type[BaseModel]", cls), adapter_for),
    ),
    (dataclasses.is_dataclass, lambda cls: DataclassAdapter(cls, cls.__name__, adapter_for, {})),
    (
        lambda cls: issubclass(cls, tuple) and hasattr(cls, "_fields"),
        lambda cls: NamedTupleAdapter(cls, cls.__name__, adapter_for),
    ),
)
"""Which classes have an adapter, in the order in which they are asked."""
