"""Bindings: the JSON form of the values that nodes take and give. This module alone defines its keys.

A *binding* is part of a plan and is resolved by the engine. A *closed value* is the result: it needs no graph to be read.

=======================================================  ========  =================================================
form                                                     found in  meaning
=======================================================  ========  =================================================
``{"literal": value}``                                   both      the value itself
``{"items": [...]}``                                     both      a list of further bindings
``{"entries": {key: ...}}``                              both      a map of further bindings
``{"constant": key, "document": source}``                both      a large literal that stays in a document
``{"input": name}``                                      binding   an input of the graph
``{"node": index, "output": name}``                      binding   an output of another node of the graph
``{"failure": true}``                                    binding   the error that an ``on_failure`` node handles
``{"result": "<node path>/<attempt>", "output": name}``  closed    an output in a stored result
``{"execution_input": name}``                            closed    an input of the execution, in its document
``{"object": uri, "output": name}``                      closed    an output of a child execution
``{"chunk": name, "list": name}``                        closed    the items of a list that one chunk of a map takes
=======================================================  ========  =================================================

All forms but the first three may have a ``path``: the keys, attributes and indexes that lead to a part of the value.
``document`` names the dynamic node (``<node path>/<attempt>``) whose document holds a constant; it is absent for the
execution's own document.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from flytemp.errors import FlytempBug, InputError
from flytemp.literals.navigate import value_at

Json: TypeAlias = Any
Binding: TypeAlias = dict[str, Any]
Closed: TypeAlias = dict[str, Any]
Path: TypeAlias = Sequence[Any]

LITERAL: Final = "literal"
ITEMS: Final = "items"
ENTRIES: Final = "entries"
CONSTANT: Final = "constant"
DOCUMENT: Final = "document"
INPUT: Final = "input"
NODE: Final = "node"
OUTPUT: Final = "output"
FAILURE: Final = "failure"
RESULT: Final = "result"
EXECUTION_INPUT: Final = "execution_input"
OBJECT: Final = "object"
CHUNK: Final = "chunk"
LIST: Final = "list"
PATH: Final = "path"

Constants = Callable[[str, list[Any]], Json]
"""Return a large literal by the document that holds it and its key; see `flytemp.spec.plan.constant`."""


def literal(value: Json) -> Binding:
    return {LITERAL: value}


def items_of(bindings: Sequence[Binding]) -> Binding:
    return {ITEMS: list(bindings)}


def entries_of(bindings: Mapping[str, Binding]) -> Binding:
    return {ENTRIES: dict(bindings)}


def constant(key: Sequence[Any]) -> Binding:
    return {CONSTANT: list(key)}


def graph_input(name: str, path: Path | None = None) -> Binding:
    return with_path({INPUT: name}, path)


def node_output(index: int, output: str, path: Path | None = None) -> Binding:
    return with_path({NODE: index, OUTPUT: output}, path)


def failure() -> Binding:
    return {FAILURE: True}


def result(reference: str, output: str, path: Path | None = None) -> Closed:
    return with_path({RESULT: reference, OUTPUT: output}, path)


def execution_input(name: str, path: Path | None = None) -> Closed:
    return with_path({EXECUTION_INPUT: name}, path)


def object_output(uri: str, output: str, path: Path | None = None) -> Closed:
    return with_path({OBJECT: uri, OUTPUT: output}, path)


def chunk_items(chunk: str, name: str, path: Path | None = None) -> Closed:
    return with_path({CHUNK: chunk, LIST: name}, path)


def with_path(binding: Binding, path: Path | None) -> Binding:
    """Return the binding with this path; without one where the path is empty."""
    return {**binding, PATH: list(path)} if path else binding


def child_at(binding: Binding, step: Any) -> Binding:
    """Return the binding that one step of a path leads to in a list or map of bindings.

    Raises:
        InputError: the list or map has no such item.
    """
    is_list = ITEMS in binding
    children, key = (binding[ITEMS], step) if is_list else (binding[ENTRIES], str(step))
    try:
        child: Binding = children[key]
    except (LookupError, TypeError):
        container = f"a list of {len(children)}" if is_list else f"a map with the keys {', '.join(sorted(children))}"
        hint = "check the index, key or attribute in the workflow"
        raise InputError(f"there is no {step!r} in {container}", hint=hint) from None
    return child


def nodes_in(binding: Binding) -> Iterator[int]:
    """Yield the indexes of the nodes whose outputs the binding takes."""
    if NODE in binding:
        yield binding[NODE]
    children = binding[ITEMS] if ITEMS in binding else binding[ENTRIES].values() if ENTRIES in binding else ()
    for child in children:
        yield from nodes_in(child)


def literals_in(values: Mapping[str, Closed]) -> dict[str, Json] | None:
    """Return the literals by name if all values are literals, else None."""
    if all(LITERAL in value for value in values.values()):
        return {name: value[LITERAL] for name, value in values.items()}
    return None


def with_constants(values: Mapping[str, Closed], constants: Constants) -> dict[str, Closed]:
    """Return the closed values with each constant replaced by its literal."""
    return {name: _with_constants(value, constants) for name, value in values.items()}


def _with_constants(value: Closed, constants: Constants) -> Closed:
    if CONSTANT in value:
        return literal(value_at(constants(value.get(DOCUMENT, ""), value[CONSTANT]), value.get(PATH) or ()))
    if ITEMS in value:
        return items_of([_with_constants(item, constants) for item in value[ITEMS]])
    if ENTRIES in value:
        return entries_of(with_constants(value[ENTRIES], constants))
    return value


class ClosedValueReader(ABC):
    """Base of readers of closed values; a subclass reads each form that refers to a stored value."""

    def read(self, value: Closed) -> Json:
        """Return the literal that a closed value stands for.

        Raises:
            FlytempBug: the value has none of the known forms.
        """
        path = value.get(PATH) or ()
        if LITERAL in value:
            return value[LITERAL]
        if RESULT in value:
            return self.read_result(value[RESULT], value[OUTPUT], path)
        if EXECUTION_INPUT in value:
            return self.read_execution_input(value[EXECUTION_INPUT], path)
        if OBJECT in value:
            return self.read_object(value[OBJECT], value[OUTPUT], path)
        if CHUNK in value:
            return self.read_chunk(value[CHUNK], value[LIST], path)
        if ITEMS in value:
            return [self.read(item) for item in value[ITEMS]]
        if ENTRIES in value:
            return {key: self.read(item) for key, item in value[ENTRIES].items()}
        if CONSTANT in value:
            return self.read_constant(value.get(DOCUMENT, ""), value[CONSTANT], path)
        raise FlytempBug(f"a closed value has none of the known forms: {sorted(value)}")

    @abstractmethod
    def read_result(self, reference: str, output: str, path: Path) -> Json: ...

    @abstractmethod
    def read_execution_input(self, name: str, path: Path) -> Json: ...

    @abstractmethod
    def read_object(self, uri: str, output: str, path: Path) -> Json: ...

    @abstractmethod
    def read_chunk(self, chunk: str, name: str, path: Path) -> Json: ...

    @abstractmethod
    def read_constant(self, document: str, key: list[Any], path: Path) -> Json: ...
