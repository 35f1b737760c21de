"""Check of bindings against the types that they are used for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from flytemp.errors import InputError, Problem, TypeMismatch
from flytemp.literals.cast import castable, present_part, variant_for
from flytemp.literals.check import check_literal
from flytemp.literals.describe import describe_type
from flytemp.literals.difference import difference
from flytemp.literals.mismatch import path_text
from flytemp.literals.typepaths import type_at
from flytemp.literals.types import ListType, LiteralType, MapType, SimpleKind, SimpleType, StructType, TupleType, UnionType
from flytemp.literals.unions import VALUE, VARIANT
from flytemp.literals.visitor import PartialVisitor
from flytemp.spec.interfaces import ERROR
from flytemp.spec.models import (
    Binding,
    ErrorBinding,
    InputBinding,
    Interface,
    ListBinding,
    LiteralBinding,
    MapBinding,
    OutputBinding,
)

_ANY = SimpleType(kind="any")


@dataclass
class SourceTypes:
    """Types of what the bindings of one graph take from. Every answer is kept, because programs repeat themselves."""

    inputs: Mapping[str, LiteralType] = field(default_factory=dict)
    _outputs: dict[str, Mapping[str, LiteralType]] = field(default_factory=dict)
    # By identity, which is much faster than by content. The keys' objects are kept so that no others get their identities.
    _fits: dict[tuple[int, int], tuple[str | None, LiteralType, LiteralType]] = field(default_factory=dict)
    _parts: dict[tuple[int, tuple[str | int, ...]], tuple[LiteralType, LiteralType]] = field(default_factory=dict)
    _inputs_of: dict[int, tuple[Interface, dict[str, LiteralType]]] = field(default_factory=dict)

    def add(self, node: str, outputs: Mapping[str, LiteralType]) -> None:
        self._outputs[node] = outputs

    def types_of(self, interface: Interface) -> Mapping[str, LiteralType]:
        """Return the types of an interface's inputs."""
        known = self._inputs_of.get(id(interface))
        if known is None:
            known = interface, {variable.name: variable.type for variable in interface.inputs}
            self._inputs_of[id(interface)] = known
        return known[1]

    def type_of(self, source: InputBinding | OutputBinding | ErrorBinding) -> LiteralType | None:
        """Return the type of what a binding takes; None if its input or output does not exist.

        Raises:
            TypeMismatch: if its path does not exist in the type.
        """
        if isinstance(source, ErrorBinding):
            return ERROR
        types = self.inputs if isinstance(source, InputBinding) else self._outputs.get(source.node, {})
        root = types.get(source.var)
        if root is None or not source.path:
            return root
        key = id(root), source.path
        if key not in self._parts:
            self._parts[key] = root, type_at(root, source.path)
        return self._parts[key][1]

    def mismatch(self, source: LiteralType, target: LiteralType) -> str | None:
        """Return the reason why values of ``source`` cannot be used as ``target``; None if they can."""
        key = id(source), id(target)
        if key not in self._fits:
            self._fits[key] = None if castable(source, target) else _reason(source, target), source, target
        return self._fits[key][0]


def _reason(source: LiteralType, target: LiteralType) -> str:
    message = f"cannot use {describe_type(source)} where {describe_type(target)} is expected"
    detail = difference(source, target)
    return f"{message}: {detail}" if detail else message


def known_length(binding: Binding | None) -> int | None:
    """Return the number of items of a list that a binding gives, if it is known before the run."""
    if isinstance(binding, ListBinding):
        return len(binding.items)
    return len(binding.value) if isinstance(binding, LiteralBinding) and isinstance(binding.value, list) else None


def binding_problems(binding: Binding, target: LiteralType, sources: SourceTypes) -> Iterator[Problem]:
    """Yield everything in ``binding`` that does not fit ``target``."""
    match binding:
        case LiteralBinding():
            try:
                check_literal(binding.value, target)
            except InputError as error:
                yield Problem(error.message, hint=error.hint)
        case ListBinding():
            yield from _LIST_PROBLEMS.visit(target, (binding, sources))
        case MapBinding():
            yield from _MAP_PROBLEMS.visit(target, (binding, sources))
        case _:
            yield from _source_problems(binding, target, sources)


def operand_problems(binding: Binding, kind: SimpleKind, sources: SourceTypes) -> Iterator[Problem]:
    """Yield the problems of one side of a comparison of values of ``kind``. The values may be None."""
    if isinstance(binding, ListBinding | MapBinding):
        yield Problem("a list or map of values is compared", hint="compare one of its parts")
        return
    if kind in ("any", "none"):
        if not isinstance(binding, LiteralBinding):
            yield from _source_problems(binding, _ANY, sources, only_paths=True)
        return
    target = UnionType(variants=(SimpleType(kind=kind), SimpleType(kind="none")))
    yield from binding_problems(binding, target, sources)


def _source_problems(
    source: InputBinding | OutputBinding | ErrorBinding, target: LiteralType, sources: SourceTypes, *, only_paths: bool = False
) -> Iterator[Problem]:
    try:
        type_ = sources.type_of(source)
    except TypeMismatch as error:
        yield Problem(f"{_described(source)} does not exist: {error.message}", hint=error.hint)
        return
    if type_ is None or only_paths:
        return
    if not isinstance(source, ErrorBinding) and source.path:
        type_ = present_part(type_, target)
    reason = sources.mismatch(type_, target)
    if reason is not None:
        yield Problem(reason, hint=f"the value is {_described(source)}")
        return
    variant = variant_for(type_, target) if isinstance(target, UnionType) else None
    if variant is not None:
        yield Problem(
            f"the variant of {describe_type(target)} cannot be recognised from its values",
            hint=f'pass a map of "{VARIANT}", here the constant {variant}, and "{VALUE}"',
        )


_ListCase: TypeAlias = tuple[ListBinding, SourceTypes]
_MapCase: TypeAlias = tuple[MapBinding, SourceTypes]


class _ListProblems(PartialVisitor[_ListCase, Iterator[Problem]]):
    """Problems of a list of bindings where a type is expected."""

    def visit_simple(self, type_: SimpleType, argument: _ListCase) -> Iterator[Problem]:
        size = len(argument[0].items)
        yield from self._items([_ANY] * size, argument) if type_.kind == "any" else self.visit_other(type_, argument)

    def visit_list(self, type_: ListType, argument: _ListCase) -> Iterator[Problem]:
        yield from self._items([type_.item] * len(argument[0].items), argument)

    def visit_tuple(self, type_: TupleType, argument: _ListCase) -> Iterator[Problem]:
        fits = len(type_.items) == len(argument[0].items)
        yield from self._items(type_.items, argument) if fits else self.visit_other(type_, argument)

    def visit_union(self, type_: UnionType, argument: _ListCase) -> Iterator[Problem]:
        problems = _variant_problems(*argument, type_, ("list", "tuple"))
        yield from self.visit_other(type_, argument) if problems is None else problems

    def visit_other(self, type_: LiteralType, argument: _ListCase) -> Iterator[Problem]:
        yield Problem(f"cannot use a list of {len(argument[0].items)} where {describe_type(type_)} is expected")

    def _items(self, types: Iterable[LiteralType], argument: _ListCase) -> Iterator[Problem]:
        binding, sources = argument
        for index, (item, type_) in enumerate(zip(binding.items, types, strict=True)):
            yield from _inside(binding_problems(item, type_, sources), index)


class _MapProblems(PartialVisitor[_MapCase, Iterator[Problem]]):
    """Problems of a map of bindings where a type is expected."""

    def visit_simple(self, type_: SimpleType, argument: _MapCase) -> Iterator[Problem]:
        types = dict.fromkeys(argument[0].entries, _ANY)
        yield from self._entries(types, argument) if type_.kind == "any" else self.visit_other(type_, argument)

    def visit_map(self, type_: MapType, argument: _MapCase) -> Iterator[Problem]:
        keys = argument[0].entries
        try:
            check_literal(dict.fromkeys(keys), MapType(key=type_.key, value=_ANY))
        except InputError as error:
            yield Problem(error.message, hint=error.hint)
        yield from self._entries(dict.fromkeys(keys, type_.value), argument)

    def visit_struct(self, type_: StructType, argument: _MapCase) -> Iterator[Problem]:
        if type_.recursive:
            yield from self.visit_other(type_, argument)
            return
        types = {member.name: member.type for member in type_.fields}
        given = argument[0].entries.keys()
        missing = [member.name for member in type_.fields if member.required and member.name not in given]
        for name in given - types.keys():
            yield Problem(f"{type_.name} has no field {name!r}", hint=f"it has {', '.join(types) or 'no fields'}")
        if missing:
            hint = "give a value for each field without default"
            yield Problem(f"{type_.name} lacks {', '.join(map(repr, missing))}", hint=hint)
        yield from self._entries(types, argument)

    def visit_union(self, type_: UnionType, argument: _MapCase) -> Iterator[Problem]:
        binding, sources = argument
        tag = binding.entries.get(VARIANT)
        if binding.entries.keys() == {VARIANT, VALUE} and isinstance(tag, LiteralBinding):
            yield from _tagged_problems(tag.value, binding.entries[VALUE], type_, sources)
        else:
            problems = _variant_problems(binding, sources, type_, ("map", "struct"))
            yield from self.visit_other(type_, argument) if problems is None else problems

    def visit_other(self, type_: LiteralType, argument: _MapCase) -> Iterator[Problem]:
        yield Problem(f"cannot use a map of values where {describe_type(type_)} is expected")

    def _entries(self, types: Mapping[str, LiteralType], argument: _MapCase) -> Iterator[Problem]:
        binding, sources = argument
        for key, item in binding.entries.items():
            if key in types:
                yield from _inside(binding_problems(item, types[key], sources), key)


_LIST_PROBLEMS = _ListProblems()
_MAP_PROBLEMS = _MapProblems()


def _variant_problems(
    binding: ListBinding | MapBinding, sources: SourceTypes, target: UnionType, likely_kinds: tuple[str, ...]
) -> list[Problem] | None:
    """Return an empty list if a variant of the union fits, else the problems with the likeliest; None if none is likely."""
    likely: list[Problem] | None = None
    for variant in target.variants:
        problems = list(binding_problems(binding, variant, sources))
        if not problems:
            return []
        if variant.kind in likely_kinds:
            likely = likely or problems
    return likely


def _tagged_problems(index: object, value: Binding, target: UnionType, sources: SourceTypes) -> Iterator[Problem]:
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(target.variants):
        yield Problem(f"there is no variant {index!r}; variants are numbered 0 to {len(target.variants) - 1}")
        return
    yield from _inside(binding_problems(value, target.variants[index], sources), VALUE)


def _inside(problems: Iterator[Problem], step: str | int) -> Iterator[Problem]:
    for problem in problems:
        yield replace(problem, message=f"{problem.message} (in {path_text((step,))})")


def _described(source: InputBinding | OutputBinding | ErrorBinding) -> str:
    if isinstance(source, ErrorBinding):
        return "the workflow's error"
    if isinstance(source, InputBinding):
        return f"the input '{source.var}'{path_text(source.path)} of the workflow"
    return f"the output '{source.var}'{path_text(source.path)} of node {source.node}"
