"""Bindings of node inputs and workflow outputs to values, checked against their types."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import BaseModel

from flytemp.authoring.promise import OutputTuple, Promise, VoidOutput, refuse_printed
from flytemp.errors import InputError, TypeMismatch
from flytemp.literals.adapters.named_tuple import is_named_tuple
from flytemp.literals.adapters.refusals import annotation_text
from flytemp.literals.aliases import unaliased
from flytemp.literals.cast import castable, present_part, variant_for
from flytemp.literals.convert import literal_type, to_literal
from flytemp.literals.describe import describe_type
from flytemp.literals.difference import difference
from flytemp.literals.sizes import check_size
from flytemp.literals.types import Json, LiteralType
from flytemp.literals.unions import VALUE, VARIANT
from flytemp.spec.models import Binding, ErrorBinding, InputBinding, ListBinding, LiteralBinding, MapBinding, OutputBinding

if TYPE_CHECKING:
    from flytemp.authoring.compilation import Compilation


@dataclass(frozen=True, slots=True)
class Constant:
    """Literal of a value that is known at compile time."""

    literal: Json


@dataclass(frozen=True, slots=True)
class Items:
    """List or tuple that contains promises."""

    items: tuple[Bound, ...]


@dataclass(frozen=True, slots=True)
class Entries:
    """Dict that contains promises."""

    entries: dict[str, Bound]


@dataclass(frozen=True, slots=True)
class FailureCause:
    """Reason of the workflow's failure, as an input of its failure node."""


Bound: TypeAlias = "Constant | Items | Entries | FailureCause | Promise"


def bind(name: str, value: Any, annotation: Any, compilation: Compilation) -> Bound:
    """Return the binding of a variable to ``value``.

    Args:
        name: the name of the variable.
        value: a Python value, a promise, or a list, tuple or dict that contains promises.
        annotation: the Python type of the variable.
        compilation: the workflow that is compiled.

    Raises:
        InputError: (`TypeMismatch`, `LimitExceeded`) the value does not have the type. The message does not name the variable.
    """
    if isinstance(value, OutputTuple) and len(value) == 1:
        value = value[0]
    if isinstance(value, Promise):
        return _bind_promise(value, annotation, compilation)
    if isinstance(value, VoidOutput):
        raise TypeMismatch(f"{value._chained_node()} returns nothing", hint=value.remedy)
    if not contains_promise(value):
        refuse_printed(value)
        return Constant(check_size(name, compilation.convert(value, annotation)))
    if isinstance(value, list | tuple):
        return _bind_items(name, value, annotation, compilation)
    if isinstance(value, Mapping):
        return _bind_entries(name, value, annotation, compilation)
    raise TypeMismatch(
        f"{type(value).__name__} contains a value that does not exist before the workflow runs",
        hint="pass the parts to a task that builds it",
    )


def contains_promise(value: Any) -> bool:
    """Return True if ``value`` is a promise, or a list, tuple, set, dict, dataclass or pydantic model that contains one."""
    if isinstance(value, Promise | VoidOutput):
        return True
    if isinstance(value, list | tuple | set | frozenset):
        return any(contains_promise(item) for item in value)
    if isinstance(value, Mapping):
        return any(contains_promise(item) for item in value.values())
    if isinstance(value, BaseModel):
        return any(contains_promise(item) for item in vars(value).values())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return any(contains_promise(getattr(value, field.name, None)) for field in dataclasses.fields(value))
    return False


def spec_of(bound: Bound) -> Binding:
    """Return the binding for the spec."""
    match bound:
        case Constant():
            return LiteralBinding(value=bound.literal)
        case Items():
            return ListBinding(items=tuple(spec_of(item) for item in bound.items))
        case Entries():
            return MapBinding(entries={key: spec_of(item) for key, item in bound.entries.items()})
        case FailureCause():
            return ErrorBinding()
    if bound._node is None:
        return InputBinding(var=bound._variable, path=bound._path)
    return OutputBinding(node=bound._node.id, var=bound._variable, path=bound._path)


def promises_in(bound: Bound) -> list[Promise]:
    """Return the promises in a binding."""
    match bound:
        case Promise():
            return [bound]
        case Items():
            return [promise for item in bound.items for promise in promises_in(item)]
        case Entries():
            return [promise for item in bound.entries.values() for promise in promises_in(item)]
        case _:
            return []


def _bind_promise(promise: Promise, annotation: Any, compilation: Compilation) -> Promise | Entries:
    check_owner(promise, compilation)
    target = literal_type(annotation)
    source = present_part(promise._type, target) if promise._path else promise._type
    if not castable(source, target):
        raise _mismatch(promise, source, target, annotation)
    variant = variant_for(source, target)
    # The variant of such a union cannot be read from the value alone, so it is stored with the value.
    return promise if variant is None else Entries({VARIANT: Constant(variant), VALUE: promise})


def _mismatch(promise: Promise, source: LiteralType, target: LiteralType, annotation: Any) -> TypeMismatch:
    """Return the error for a promise of another type. Two classes of one name are distinguished by their modules."""
    given, wanted, reason = describe_type(source), describe_type(target), difference(source, target)
    if reason is not None:
        wanted = annotation_text(annotation)
        if promise._node is not None and not promise._path:
            given = annotation_text(promise._node.callee.python_interface.outputs.get(promise._variable, given))
    message = f"cannot use {given} where {wanted} is expected"
    return TypeMismatch(f"{message}: {reason}" if reason else message, hint=f"it comes from {promise._described()}")


def check_owner(promise: Promise, compilation: Compilation) -> None:
    """Check that a promise belongs to the workflow that is compiled.

    Raises:
        InputError: the promise belongs to another workflow.
    """
    if promise._compilation is not compilation:
        raise InputError(
            f"{promise._described()} belongs to another workflow", hint="pass it in as an input, or return it as an output"
        )


def _bind_items(name: str, value: list[Any] | tuple[Any, ...], annotation: Any, compilation: Compilation) -> Items | Entries:
    members = _arguments_of(annotation, (list, tuple, typing.Sequence))
    fields = _named_tuple_fields(annotation) if members is None else None
    if fields is not None and len(fields) == len(value):
        members_by_name = zip(fields.items(), value, strict=True)
        return Entries({field: bind(name, item, member, compilation) for (field, member), item in members_by_name})
    if members is None:
        raise TypeMismatch(f"cannot use a {type(value).__name__} where {describe_type(literal_type(annotation))} is expected")
    if len(members) == 1 or members[-1] is Ellipsis:
        members = (members[0],) * len(value)
    if len(members) != len(value):
        raise TypeMismatch(f"cannot use {len(value)} items where {describe_type(literal_type(annotation))} is expected")
    return Items(tuple(bind(name, item, member, compilation) for item, member in zip(value, members, strict=True)))


def _bind_entries(name: str, value: Mapping[Any, Any], annotation: Any, compilation: Compilation) -> Entries:
    members = _arguments_of(annotation, (dict, Mapping))
    if members is None or len(members) != 2:
        raise TypeMismatch(
            f"cannot use a dict where {describe_type(literal_type(annotation))} is expected",
            hint="a dict with values of other tasks needs a type such as dict[str, int]",
        )
    # The literal of a map has text keys: convert the keys alone to get them.
    keys = {next(iter(to_literal({key: None}, dict[members[0], None], None))): key for key in value}  # type: ignore[valid-type]
    return Entries({text: bind(name, value[key], members[1], compilation) for text, key in keys.items()})


def _arguments_of(annotation: Any, origins: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Return the type arguments of a list or dict annotation, also inside ``Annotated``, ``Optional`` and ``Union``."""
    plain = tuple(typing.get_origin(known) or known for known in origins)
    found = (typing.get_args(form) for form in _plain_forms(annotation) if typing.get_origin(form) in plain)
    return next(filter(None, found), None)


def _named_tuple_fields(annotation: Any) -> dict[str, Any] | None:
    """Return the annotations of a NamedTuple's fields, also inside ``Annotated``, ``Optional`` and ``Union``."""
    for form in _plain_forms(annotation):
        if is_named_tuple(form):
            hints = typing.get_type_hints(form, include_extras=True)
            return {name: hints[name] for name in form._fields}
    return None


def _plain_forms(annotation: Any) -> Iterator[Any]:
    """Yield the variants of a union, or the annotation itself, without aliases and ``Annotated``."""
    annotation = unaliased(annotation)
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType, typing.Annotated):
        for variant in typing.get_args(annotation)[: 1 if origin is typing.Annotated else None]:
            yield from _plain_forms(variant)
    else:
        yield annotation
