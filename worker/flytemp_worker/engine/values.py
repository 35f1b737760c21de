"""Bindings, and the closed values that they resolve to.

Binding (in a plan)                                      closed value (in a command)
-------------------------------------------------------  ---------------------------------------------------------
``{"l": literal}``                                       the same
``{"k": […], "p": path}``  a large literal of the plan   the same, with ``"d": source`` for that of a dynamic's plan
``{"i": input, "p": path}``                              ``{"l": …}`` or ``{"c": input, "p": path}``
``{"n": node index, "v": output, "p": path}``            ``{"l": …}`` or ``{"r": "<node>/<attempt>", "v": …, "p": …}``
``{"a": [binding…]}``, ``{"m": {key: binding}}``         the same, of closed values
``{"e": 1}``  why the workflow failed                    ``{"l": …}``

Two closed values come from elsewhere: ``{"u": uri, "v": …, "p": …}``, an output of a child execution, and
``{"f": key, "v": …, "p": …}``, a part of a list that was split for the parts of a map.

Nothing is copied from scope to scope: an input of a sub-workflow resolves through its caller's binding, an
output through the sub-workflow's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flytemp.errors import InputError
from flytemp.literals.limits import INLINE_BYTES
from flytemp.literals.navigate import value_at

if TYPE_CHECKING:
    from flytemp_worker.engine.nodes import GraphRun, Node

REFERENCE_BYTES = 64
"""A value up to this long travels inline always: a reference to it would not be shorter."""

Closed = dict[str, Any]
Path = list[Any]

_ELSEWHERE = ("k", "r", "c", "u", "f")


class BindingResolver:
    """Resolves bindings within a scope; ``size`` sums the sizes of results and launch inputs that were inlined."""

    __slots__ = ("by_reference", "size")

    def __init__(self, by_reference: bool = False) -> None:
        self.by_reference = by_reference
        self.size = 0

    def resolve(self, binding: dict[str, Any], scope: GraphRun, path: Path | None = None) -> Closed:
        """A loop, because a value may be handed on through any number of sub-workflows."""
        while True:
            if "l" in binding:
                return {"l": value_at(binding["l"], path)} if path else binding
            if "n" in binding:
                path = _join(binding.get("p"), path)
                found = self._of_node(scope.nodes[binding["n"]], binding["v"], path)
                if isinstance(found, dict):
                    return found
                binding, scope = found
            elif "i" in binding:
                path = _join(binding.get("p"), path)
                if scope.given is not None:
                    binding = scope.given[binding["i"]]
                elif scope.parent is None:
                    return self._input(scope, binding["i"], path)
                else:
                    binding, scope = scope.parent.bindings[binding["i"]], scope.parent.scope.lexical
            elif any(form in binding for form in _ELSEWHERE):
                return _elsewhere(binding, scope, path)
            elif "e" in binding:
                return {"l": failure_of(scope)}
            elif path:
                binding, path = _part(binding, path), path[1:]
            elif "a" in binding:
                return {"a": [self.resolve(item, scope) for item in binding["a"]]}
            else:
                return {"m": {key: self.resolve(item, scope) for key, item in binding["m"].items()}}

    def _input(self, scope: GraphRun, var: str, path: Path | None) -> Closed:
        if scope.inputs is None or (self.by_reference and scope.sizes[var] > REFERENCE_BYTES):
            return {"c": var, "p": path or []}
        self.size += scope.sizes[var]
        return {"l": value_at(scope.inputs[var], path) if path else scope.inputs[var]}

    def _of_node(self, node: Node, var: str, path: Path | None) -> Closed | tuple[dict[str, Any], GraphRun]:
        """A node's output as a closed value, or the binding that it is and the scope in which it is meant."""
        while node.kind == "branch" and node.child is not None:
            node = node.child.nodes[node.extra["taken"]]
        if node.kind in ("workflow", "dynamic") and node.child is not None:
            return node.child.graph.outputs[var], node.child
        if node.kind == "gate" and node.outputs is None:
            return node.bindings["value"], node.scope.lexical
        return self.output(node, var, path)

    def output(self, node: Node, var: str, path: Path | None = None) -> Closed:
        """An output that the node itself has."""
        link = node.extra.get("link")
        stored = link is not None or node.kind in ("task", "dynamic") or node.extra.get("stored", False)
        if node.outputs is None or (self.by_reference and stored and node.size > REFERENCE_BYTES):
            where = {"r": node.ref} if link is None else {"u": link}
            return {**where, "v": var, "p": path or []}
        self.size += node.size
        return {"l": value_at(node.outputs[var], path) if path else node.outputs[var]}


def failure_of(scope: GraphRun) -> dict[str, Any]:
    """What a handler of failures is told: flytekit's FlyteError, as a literal."""
    if scope.error is None:
        return {"message": scope.reason or "stopped", "failed_node_id": ""}
    return {"message": scope.error["message"], "failed_node_id": scope.error.get("node") or ""}


def _elsewhere(binding: dict[str, Any], scope: GraphRun, path: Path | None) -> Closed:
    closed = {**binding, "p": _join(binding.get("p"), path) or []}
    if "k" in binding and scope.graph.source and "d" not in binding:
        closed["d"] = scope.graph.source
    return closed


def _part(binding: dict[str, Any], path: Path) -> dict[str, Any]:
    """The binding that the first step of ``path`` leads to, in a list or map of bindings."""
    items, step = (binding["a"], path[0]) if "a" in binding else (binding["m"], str(path[0]))
    try:
        part: dict[str, Any] = items[step]
    except (LookupError, TypeError):
        what = f"a list of {len(items)}" if "a" in binding else f"a map with the keys {', '.join(sorted(items))}"
        hint = "check the index, key or attribute in the workflow"
        raise InputError(f"there is no {path[0]!r} in {what}", hint=hint) from None
    return part


def _join(first: Path | None, second: Path | None) -> Path | None:
    if not first:
        return second
    return first + second if second else first


def close(bindings: dict[str, dict[str, Any]], scope: GraphRun, limit: int = INLINE_BYTES) -> dict[str, Closed]:
    """Resolve ``bindings`` of a node in ``scope``: inline while they are small together, else by reference.

    Raises:
        flytemp.errors.InputError: an attribute path leads nowhere in the value.
    """
    meant = scope.lexical
    resolver = BindingResolver()
    closed = _close(bindings, meant, resolver)
    return closed if resolver.size <= limit else _close(bindings, meant, BindingResolver(by_reference=True))


def _close(bindings: dict[str, dict[str, Any]], scope: GraphRun, resolver: BindingResolver) -> dict[str, Closed]:
    closed: dict[str, Closed] = {}
    for var, binding in bindings.items():
        try:
            closed[var] = resolver.resolve(binding, scope)
        except InputError as error:
            raise type(error)(f"{var}: {error.message}", hint=error.hint) from error
    return closed
