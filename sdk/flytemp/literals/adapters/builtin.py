"""Transformers of the built-in types: Python's own classes, records, enums, unions and files."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import types
import typing
from collections.abc import Callable, Iterator
from enum import Enum
from functools import partial
from typing import Any, Literal, Union, get_args, get_origin

import typing_extensions
from pydantic import BaseModel

from flytemp.errors import UnsupportedType
from flytemp.literals.adapters.base import Adapter
from flytemp.literals.adapters.blobs import BlobAdapter, PathAdapter
from flytemp.literals.adapters.containers import ListAdapter, MapAdapter, TupleAdapter
from flytemp.literals.adapters.dataclass import DataclassAdapter
from flytemp.literals.adapters.literals import enum_adapter, literal_adapter
from flytemp.literals.adapters.models import model_adapter
from flytemp.literals.adapters.named_tuple import NamedTupleAdapter, is_named_tuple
from flytemp.literals.adapters.refusals import annotation_text, refuse
from flytemp.literals.adapters.scalars import SCALARS, AnyAdapter, Scalar, scalar_adapter
from flytemp.literals.adapters.structs import AdapterFor, TypedDictAdapter
from flytemp.literals.adapters.unions import UnionAdapter
from flytemp.literals.keys import may_be_key
from flytemp.literals.transformers import TransformContext, TypeTransformer
from flytemp.literals.types import Json, LiteralType
from flytemp.types.directory import FlyteDirectory
from flytemp.types.file import FlyteFile

MakeAdapter = Callable[[Any, AdapterFor], Adapter]


class BuiltinTransformer(TypeTransformer[Any]):
    """Transformer whose adapters do the conversion.

    Args:
        adapter_for: returns the adapter of an annotation, for the annotations inside another one.
        name: name of the transformer.
        t: the class or special form that the transformer is registered for.
        make: makes the adapter of an annotation.
        handles: returns whether the transformer converts an annotation of ``t`` or a subclass. By default only ``t`` itself.
    """

    def __init__(
        self, adapter_for: AdapterFor, name: str, t: Any, make: MakeAdapter, handles: Callable[[Any], bool] | None = None
    ) -> None:
        super().__init__(name, t)
        self._adapter_for = adapter_for
        self._make = make
        self._handles = handles or (lambda annotation: (get_origin(annotation) or annotation) is t)

    def handles(self, annotation: Any) -> bool:
        """Return whether the transformer converts the annotation."""
        return self._handles(annotation)

    def adapter(self, annotation: Any) -> Adapter:
        return self._make(annotation, self._adapter_for)

    def get_literal_type(self, t: type[Any]) -> LiteralType:
        return self._adapter_for(t).type

    def to_literal(self, ctx: TransformContext, python_val: Any, python_type: type[Any], expected: LiteralType) -> Json:
        return self._adapter_for(python_type).encode(python_val, ctx.files)

    def to_python_value(self, ctx: TransformContext, lv: Json, expected_python_type: type[Any]) -> Any:
        return self._adapter_for(expected_python_type).decode(lv, ctx.files)


def class_transformers(adapter_for: AdapterFor) -> Iterator[BuiltinTransformer]:
    """Iterate over the transformers that are found by a class, one of its bases, or a special form."""
    builtin = partial(BuiltinTransformer, adapter_for)
    for cls, scalar in SCALARS.items():
        yield builtin(scalar.kind, cls, partial(_scalar, scalar))
    for untyped in (Any, object):
        yield builtin("any", untyped, lambda annotation, _: AnyAdapter())
    yield builtin("list", list, _list)
    yield builtin("dict", dict, _dict)
    yield builtin("tuple", tuple, _tuple)
    yield builtin("literal", Literal, _literal)
    for union in (Union, types.UnionType):
        yield builtin("union", union, _union)
    yield builtin("path-like", os.PathLike, lambda annotation, _: BlobAdapter(FlyteFile, "file", "PathLike"))
    yield builtin("path", pathlib.Path, lambda annotation, _: PathAdapter(BlobAdapter(FlyteFile, "file", "Path")), _is_class)
    yield builtin("file", FlyteFile, lambda cls, _: BlobAdapter(cls, "file", cls.__name__), _is_class)
    yield builtin("directory", FlyteDirectory, lambda cls, _: BlobAdapter(cls, "directory", cls.__name__), _is_class)
    yield builtin("enum", Enum, lambda cls, _: enum_adapter(cls), lambda cls: _is_class(cls) and cls.__module__ != "enum")
    yield builtin("pydantic", BaseModel, model_adapter, lambda cls: _is_class(cls) and cls is not BaseModel)


def structural_transformers(adapter_for: AdapterFor) -> Iterator[BuiltinTransformer]:
    """Iterate over the transformers of classes without a common base, which are tried when no base is registered."""
    builtin = partial(BuiltinTransformer, adapter_for)
    yield builtin("typed-dict", object, _typed_dict, typing_extensions.is_typeddict)
    yield builtin(
        "dataclass", object, _dataclass, lambda annotation: dataclasses.is_dataclass(get_origin(annotation) or annotation)
    )
    yield builtin("named-tuple", object, _named_tuple, is_named_tuple)


def _is_class(annotation: Any) -> bool:
    return isinstance(annotation, type) and get_origin(annotation) is None


def _scalar(scalar: Scalar, annotation: Any, adapter_for: AdapterFor) -> Adapter:
    return scalar_adapter(scalar)


def _typed_dict(cls: Any, adapter_for: AdapterFor) -> Adapter:
    return TypedDictAdapter(cls, cls.__name__, adapter_for)


def _named_tuple(cls: Any, adapter_for: AdapterFor) -> Adapter:
    return NamedTupleAdapter(cls, cls.__name__, adapter_for)


def _list(annotation: Any, adapter_for: AdapterFor) -> Adapter:
    arguments = get_args(annotation)
    return ListAdapter(adapter_for(arguments[0]), list) if arguments else AnyAdapter(list)


def _dict(annotation: Any, adapter_for: AdapterFor) -> Adapter:
    arguments = get_args(annotation)
    if not arguments:
        return AnyAdapter(dict)
    key, value = adapter_for(arguments[0]), adapter_for(arguments[1])
    if not may_be_key(key.type):
        raise UnsupportedType(
            f"{annotation_text(annotation)}: {key.label} cannot be the key of a dict",
            hint="keys are str, int, bool, float, date, datetime, timedelta or an Enum; or use a list of pairs",
        )
    return MapAdapter(key, value)


def _tuple(annotation: Any, adapter_for: AdapterFor) -> Adapter:
    arguments = get_args(annotation)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return ListAdapter(adapter_for(arguments[0]), tuple)
    if not arguments and annotation in (tuple, typing.Tuple):  # noqa: UP006 - the bare names, without arguments
        refuse(annotation)
    return TupleAdapter(tuple(adapter_for(argument) for argument in arguments))


def _dataclass(annotation: Any, adapter_for: AdapterFor) -> Adapter:
    origin = get_origin(annotation)
    if origin is None:
        return DataclassAdapter(annotation, annotation.__name__, adapter_for, {})
    arguments = get_args(annotation)
    names = ", ".join(adapter_for(argument).label for argument in arguments)
    parameters = dict(zip(getattr(origin, "__parameters__", ()), arguments, strict=False))
    return DataclassAdapter(origin, f"{origin.__name__}[{names}]", adapter_for, parameters)


def _literal(annotation: Any, adapter_for: AdapterFor) -> Adapter:
    values = get_args(annotation)
    plain = tuple(value for value in values if value is not None)
    variants: list[Adapter] = [literal_adapter(plain)] if plain else []
    if len(plain) < len(values):
        variants.append(adapter_for(None))
    return _union_of(variants)


def _union(annotation: Any, adapter_for: AdapterFor) -> Adapter:
    return _union_of([adapter_for(argument) for argument in get_args(annotation)])


def _union_of(adapters: list[Adapter]) -> Adapter:
    flat: list[Adapter] = []
    for adapter in adapters:
        for variant in adapter.variants if isinstance(adapter, UnionAdapter) else (adapter,):
            if variant not in flat:  # two spellings of one annotation share the cached adapter
                flat.append(variant)
    return flat[0] if len(flat) == 1 else UnionAdapter(flat)
