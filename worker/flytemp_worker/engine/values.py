"""Resolution of bindings to closed values; `flytemp.spec.bindings` describes both.

Nothing is copied from graph to graph: an input of a sub-workflow is resolved through its caller's binding, an output through
the sub-workflow's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flytemp.errors import InputError
from flytemp.literals.navigate import value_at
from flytemp.literals.sizes import INLINE_BYTES
from flytemp.spec import bindings as form
from flytemp.spec.bindings import Binding, Closed

if TYPE_CHECKING:
    from flytemp_worker.engine.nodes import GraphRun, Node

REFERENCE_BYTES = 64
"""Values up to this many bytes are always inline, because a reference to them would not be shorter."""

Path = list[Any]

_STORED = (form.CONSTANT, form.RESULT, form.EXECUTION_INPUT, form.OBJECT, form.CHUNK)


class BindingResolver:
    """Resolver of bindings; ``size`` is the sum of the sizes of results and launch inputs that were inlined."""

    __slots__ = ("by_reference", "size")

    def __init__(self, by_reference: bool = False) -> None:
        self.by_reference = by_reference
        self.size = 0

    def resolve(self, binding: Binding, scope: GraphRun, path: Path | None = None) -> Closed:
        """Return the closed value of a binding in ``scope``.

        This is a loop, because a value may be passed through any number of sub-workflows.
        """
        while True:
            if form.LITERAL in binding:
                return form.literal(value_at(binding[form.LITERAL], path)) if path else binding
            if form.NODE in binding:
                path = _join(binding.get(form.PATH), path)
                node, output = scope.nodes[binding[form.NODE]], binding[form.OUTPUT]
                source = node.state.source_of(node, output)
                if source is None:
                    return self._own_output(node, output, path)
                binding, scope = source
            elif form.INPUT in binding:
                path = _join(binding.get(form.PATH), path)
                if scope.given is not None:
                    binding = scope.given[binding[form.INPUT]]
                elif scope.parent is None:
                    return self._input(scope, binding[form.INPUT], path)
                else:
                    binding, scope = scope.parent.bindings[binding[form.INPUT]], scope.parent.scope.lexical
            elif any(key in binding for key in _STORED):
                return _stored(binding, scope, path)
            elif form.FAILURE in binding:
                return form.literal(failure_of(scope))
            elif path:
                binding, path = form.child_at(binding, path[0]), path[1:]
            elif form.ITEMS in binding:
                return form.items_of([self.resolve(item, scope) for item in binding[form.ITEMS]])
            else:
                return form.entries_of({key: self.resolve(item, scope) for key, item in binding[form.ENTRIES].items()})

    def _input(self, scope: GraphRun, var: str, path: Path | None) -> Closed:
        if scope.inputs is None or (self.by_reference and scope.sizes[var] > REFERENCE_BYTES):
            return form.execution_input(var, path)
        self.size += scope.sizes[var]
        return form.literal(value_at(scope.inputs[var], path) if path else scope.inputs[var])

    def output(self, node: Node, var: str) -> Closed:
        """Return an output of a node as a closed value."""
        source = node.state.source_of(node, var)
        return self._own_output(node, var, None) if source is None else self.resolve(*source)

    def _own_output(self, node: Node, var: str, path: Path | None) -> Closed:
        state = node.state
        if state.outputs is None or (self.by_reference and state.is_stored and state.size > REFERENCE_BYTES):
            return state.reference(node, var, path)
        if var not in state.outputs:  # a foreign program may have reported the outputs of a child execution
            raise InputError(f"node {node.path} has no output {var!r}")
        self.size += state.size
        return form.literal(value_at(state.outputs[var], path) if path else state.outputs[var])


def failure_of(scope: GraphRun) -> dict[str, Any]:
    """Return flytekit's FlyteError as a literal: the input of a node that handles the scope's failure."""
    if scope.error is None:
        return {"message": scope.reason or "stopped", "failed_node_id": ""}
    return {"message": scope.error["message"], "failed_node_id": scope.error.get("node") or ""}


def _stored(binding: Binding, scope: GraphRun, path: Path | None) -> Closed:
    closed = form.with_path(binding, _join(binding.get(form.PATH), path))
    if form.CONSTANT in binding and scope.graph.source and form.DOCUMENT not in binding:
        return {**closed, form.DOCUMENT: scope.graph.source}
    return closed


def _join(first: Path | None, second: Path | None) -> Path | None:
    if not first:
        return second
    return first + second if second else first


def close(bindings: dict[str, Binding], scope: GraphRun, limit: int = INLINE_BYTES) -> dict[str, Closed]:
    """Resolve a node's bindings: inline while they are small together, else by reference.

    Raises:
        flytemp.errors.InputError: an attribute path leads nowhere in the value.
    """
    lexical = scope.lexical
    resolver = BindingResolver()
    closed = _close(bindings, lexical, resolver)
    return closed if resolver.size <= limit else _close(bindings, lexical, BindingResolver(by_reference=True))


def _close(bindings: dict[str, Binding], scope: GraphRun, resolver: BindingResolver) -> dict[str, Closed]:
    closed: dict[str, Closed] = {}
    for var, binding in bindings.items():
        try:
            closed[var] = resolver.resolve(binding, scope)
        except InputError as error:
            raise type(error)(f"{var}: {error.message}", hint=error.hint) from error
    return closed
