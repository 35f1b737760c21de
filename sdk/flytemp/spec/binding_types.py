"""Whether a binding fits the type that it goes to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import repeat

from flytemp.errors import InputError, TypeMismatch
from flytemp.literals.cast import castable, variant_for
from flytemp.literals.check import check_literal
from flytemp.literals.describe import describe_type
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

Flaw = tuple[str, str | None]
"""What is wrong, and what to do about it."""

_ANY = SimpleType(kind="any")


@dataclass
class Sources:
    """The types that the bindings of one graph take from. Each question is answered once: programs repeat themselves."""

    inputs: Mapping[str, LiteralType] = field(default_factory=dict)
    _outputs: dict[str, Mapping[str, LiteralType]] = field(default_factory=dict)
    # By identity, which is much faster than by content; what is asked about is kept, so that identities stay their own.
    _fits: dict[tuple[int, int], tuple[str | None, LiteralType, LiteralType]] = field(default_factory=dict)
    _parts: dict[tuple[int, tuple[str | int, ...]], tuple[LiteralType, LiteralType]] = field(default_factory=dict)
    _inputs_of: dict[int, tuple[Interface, dict[str, LiteralType]]] = field(default_factory=dict)

    def add(self, node: str, outputs: Mapping[str, LiteralType]) -> None:
        self._outputs[node] = outputs

    def types_of(self, interface: Interface) -> Mapping[str, LiteralType]:
        """The types of an interface's inputs."""
        known = self._inputs_of.get(id(interface))
        if known is None:
            known = interface, {variable.name: variable.type for variable in interface.inputs}
            self._inputs_of[id(interface)] = known
        return known[1]

    def type_of(self, source: InputBinding | OutputBinding | ErrorBinding) -> LiteralType | None:
        """The type of what a binding takes; None when its name leads nowhere.

        Raises:
            TypeMismatch: its path leads nowhere.
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
        """Why values of ``source`` cannot be used as ``target``; None when they can."""
        key = id(source), id(target)
        if key not in self._fits:
            fits = castable(source, target)
            reason = f"cannot use {describe_type(source)} where {describe_type(target)} is expected"
            self._fits[key] = None if fits else reason, source, target
        return self._fits[key][0]


def known_length(binding: Binding | None) -> int | None:
    """Return the number of items of a list that a binding gives, if it is known before the run."""
    if isinstance(binding, ListBinding):
        return len(binding.items)
    return len(binding.value) if isinstance(binding, LiteralBinding) and isinstance(binding.value, list) else None


def binding_flaws(binding: Binding, target: LiteralType, sources: Sources) -> Iterator[Flaw]:
    """Everything in ``binding`` that does not fit ``target``."""
    match binding:
        case LiteralBinding():
            try:
                check_literal(binding.value, target)
            except InputError as error:
                yield error.message, error.hint
        case ListBinding():
            yield from _LIST_FLAWS.visit(target, (binding, sources))
        case MapBinding():
            yield from _MAP_FLAWS.visit(target, (binding, sources))
        case _:
            yield from _source_flaws(binding, target, sources)


def operand_flaws(binding: Binding, kind: SimpleKind, sources: Sources) -> Iterator[Flaw]:
    """What is wrong with one side of a comparison of values of ``kind``. It may be None, which is a value like others."""
    if isinstance(binding, ListBinding | MapBinding):
        yield "a list or map of values is compared", "compare one of its parts"
        return
    if kind in ("any", "none"):
        if not isinstance(binding, LiteralBinding):
            yield from _source_flaws(binding, _ANY, sources, only_paths=True)
        return
    target = UnionType(variants=(SimpleType(kind=kind), SimpleType(kind="none")))
    yield from binding_flaws(binding, target, sources)


def _source_flaws(
    source: InputBinding | OutputBinding | ErrorBinding, target: LiteralType, sources: Sources, *, only_paths: bool = False
) -> Iterator[Flaw]:
    try:
        type_ = sources.type_of(source)
    except TypeMismatch as error:
        yield f"{_described(source)} leads nowhere: {error.message}", error.hint
        return
    if type_ is None or only_paths:
        return
    reason = sources.mismatch(type_, target)
    if reason is not None:
        yield reason, f"it comes from {_described(source)}"
        return
    variant = variant_for(type_, target) if isinstance(target, UnionType) else None
    if variant is not None:
        yield (
            f"{describe_type(target)} does not tell which of its types a value is of",
            f'say it with a map of "{VARIANT}", here the constant {variant}, and "{VALUE}"',
        )


class _ListFlaws(PartialVisitor[tuple[ListBinding, Sources], Iterator[Flaw]]):
    """Iterate over the flaws of a list of bindings."""

    def visit_other(self, type_: LiteralType, argument: tuple[ListBinding, Sources]) -> Iterator[Flaw]:
        yield f"cannot use a list of {len(argument[0].items)} where {describe_type(type_)} is expected", None

    def visit_simple(self, type_: SimpleType, argument: tuple[ListBinding, Sources]) -> Iterator[Flaw]:
        return self._items(argument, repeat(type_)) if type_.kind == "any" else self.visit_other(type_, argument)

    def visit_list(self, type_: ListType, argument: tuple[ListBinding, Sources]) -> Iterator[Flaw]:
        return self._items(argument, repeat(type_.item))

    def visit_tuple(self, type_: TupleType, argument: tuple[ListBinding, Sources]) -> Iterator[Flaw]:
        fits = len(type_.items) == len(argument[0].items)
        return self._items(argument, type_.items) if fits else self.visit_other(type_, argument)

    def visit_union(self, type_: UnionType, argument: tuple[ListBinding, Sources]) -> Iterator[Flaw]:
        return _union_flaws(argument[0], type_, argument[1])

    def _items(self, argument: tuple[ListBinding, Sources], types: Iterable[LiteralType]) -> Iterator[Flaw]:
        binding, sources = argument
        for index, (item, type_) in enumerate(zip(binding.items, types, strict=False)):
            yield from _inside(binding_flaws(item, type_, sources), index)


class _MapFlaws(PartialVisitor[tuple[MapBinding, Sources], Iterator[Flaw]]):
    """Iterate over the flaws of a map of bindings."""

    def visit_other(self, type_: LiteralType, argument: tuple[MapBinding, Sources]) -> Iterator[Flaw]:
        yield f"cannot use a map of values where {describe_type(type_)} is expected", None

    def visit_simple(self, type_: SimpleType, argument: tuple[MapBinding, Sources]) -> Iterator[Flaw]:
        if type_.kind != "any":
            return self.visit_other(type_, argument)
        return self._entries(argument, dict.fromkeys(argument[0].entries, type_))

    def visit_map(self, type_: MapType, argument: tuple[MapBinding, Sources]) -> Iterator[Flaw]:
        entries = argument[0].entries
        try:
            check_literal(dict.fromkeys(entries), MapType(key=type_.key, value=_ANY))
        except InputError as error:
            yield error.message, error.hint
        yield from self._entries(argument, dict.fromkeys(entries, type_.value))

    def visit_struct(self, type_: StructType, argument: tuple[MapBinding, Sources]) -> Iterator[Flaw]:
        if type_.recursive:
            yield from self.visit_other(type_, argument)
            return
        entries = argument[0].entries
        types = {member.name: member.type for member in type_.fields}
        missing = [member.name for member in type_.fields if member.required and member.name not in entries]
        for name in entries.keys() - types.keys():
            yield f"{type_.name} has no field {name!r}", f"it has {', '.join(types) or 'no fields'}"
        if missing:
            yield f"{type_.name} lacks {', '.join(map(repr, missing))}", "give a value for each field without default"
        yield from self._entries(argument, types)

    def visit_union(self, type_: UnionType, argument: tuple[MapBinding, Sources]) -> Iterator[Flaw]:
        binding, sources = argument
        tag = binding.entries.get(VARIANT)
        if binding.entries.keys() == {VARIANT, VALUE} and isinstance(tag, LiteralBinding):
            return _tagged_flaws(tag.value, binding.entries[VALUE], type_, sources)
        return _union_flaws(binding, type_, sources)

    def _entries(self, argument: tuple[MapBinding, Sources], types: Mapping[str, LiteralType]) -> Iterator[Flaw]:
        binding, sources = argument
        for key, item in binding.entries.items():
            if key in types:
                yield from _inside(binding_flaws(item, types[key], sources), key)


_LIST_FLAWS = _ListFlaws()
_MAP_FLAWS = _MapFlaws()


def _union_flaws(binding: ListBinding | MapBinding, target: UnionType, sources: Sources) -> Iterator[Flaw]:
    """Any of the union's types that takes the binding will do; else what is wrong with the likeliest."""
    likely: list[Flaw] | None = None
    for variant in target.variants:
        flaws = list(binding_flaws(binding, variant, sources))
        if not flaws:
            return
        if variant.kind in ("list", "tuple") if isinstance(binding, ListBinding) else variant.kind in ("map", "struct"):
            likely = likely or flaws
    yield from likely or [(f"cannot use {_noun(binding)} where {describe_type(target)} is expected", None)]


def _tagged_flaws(index: object, value: Binding, target: UnionType, sources: Sources) -> Iterator[Flaw]:
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(target.variants):
        yield f"there is no variant {index!r}; variants are numbered 0 to {len(target.variants) - 1}", None
        return
    yield from _inside(binding_flaws(value, target.variants[index], sources), VALUE)


def _inside(flaws: Iterator[Flaw], step: str | int) -> Iterator[Flaw]:
    for reason, hint in flaws:
        yield f"{reason} (in {path_text((step,))})", hint


def _noun(binding: ListBinding | MapBinding) -> str:
    return f"a list of {len(binding.items)}" if isinstance(binding, ListBinding) else "a map of values"


def _described(source: InputBinding | OutputBinding | ErrorBinding) -> str:
    if isinstance(source, ErrorBinding):
        return "the workflow's error"
    if isinstance(source, InputBinding):
        return f"the input '{source.var}'{path_text(source.path)} of the workflow"
    return f"the output '{source.var}'{path_text(source.path)} of node {source.node}"
