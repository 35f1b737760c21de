"""Bindings, and the closed values that they resolve to.

Binding (in a plan)                                      closed value (in a command)
-------------------------------------------------------  ---------------------------------------------------------
``{"l": literal}``                                       the same
``{"k": […], "p": path}``  a large literal of the plan   the same
``{"i": input, "p": path}``                              ``{"l": …}`` or ``{"c": input, "p": path}``
``{"n": node index, "v": output, "p": path}``            ``{"l": …}`` or ``{"r": "<node>/<attempt>", "v": …, "p": …}``
``{"a": [binding…]}``, ``{"m": {key: binding}}``         the same, of closed values

Nothing is copied from scope to scope: an input of a sub-workflow resolves through its caller's binding, an
output through the sub-workflow's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flytemp.errors import InputError
from flytemp.literals.limits import INLINE_BYTES
from flytemp.literals.navigate import value_at

if TYPE_CHECKING:
    from flytemp_worker.engine.nodes import Node, Scope

REFERENCE_BYTES = 64
"""A value up to this long travels inline always: a reference to it would not be shorter."""

Closed = dict[str, Any]


class Resolver:
    """Resolves bindings within a scope; ``size`` sums the sizes of results and launch inputs that were inlined."""

    __slots__ = ("by_reference", "size")

    def __init__(self, by_reference: bool = False) -> None:
        self.by_reference = by_reference
        self.size = 0

    def resolve(self, binding: dict[str, Any], scope: Scope, path: list[Any] | None = None) -> Closed:
        """A loop, because a value may be handed on through any number of sub-workflows."""
        while True:
            if "l" in binding:
                return {"l": value_at(binding["l"], path)} if path else binding
            if "n" in binding:
                path = _join(binding.get("p"), path)
                node = scope.nodes[binding["n"]]
                if node.child is None:
                    return self._output(node, binding["v"], path)
                binding, scope = node.child.graph.outputs[binding["v"]], node.child
            elif "i" in binding:
                path = _join(binding.get("p"), path)
                if scope.parent is None:
                    return self._input(scope, binding["i"], path)
                binding, scope = scope.parent.plan.inputs[binding["i"]], scope.parent.scope
            elif "k" in binding:
                return {"k": binding["k"], "p": _join(binding.get("p"), path) or []}
            elif path:
                binding, path = _part(binding, path), path[1:]
            elif "a" in binding:
                return {"a": [self.resolve(item, scope) for item in binding["a"]]}
            else:
                return {"m": {key: self.resolve(item, scope) for key, item in binding["m"].items()}}

    def _input(self, scope: Scope, var: str, path: list[Any] | None) -> Closed:
        if scope.inputs is None or (self.by_reference and scope.sizes[var] > REFERENCE_BYTES):
            return {"c": var, "p": path or []}
        self.size += scope.sizes[var]
        return {"l": value_at(scope.inputs[var], path) if path else scope.inputs[var]}

    def _output(self, node: Node, var: str, path: list[Any] | None) -> Closed:
        if node.outputs is None or (self.by_reference and node.size > REFERENCE_BYTES):
            return {"r": f"{node.path}/{node.attempt}", "v": var, "p": path or []}
        self.size += node.size
        return {"l": value_at(node.outputs[var], path) if path else node.outputs[var]}


def _part(binding: dict[str, Any], path: list[Any]) -> dict[str, Any]:
    """The binding that the first step of ``path`` leads to, in a list or map of bindings."""
    items, step = (binding["a"], path[0]) if "a" in binding else (binding["m"], str(path[0]))
    try:
        part: dict[str, Any] = items[step]
    except (LookupError, TypeError):
        what = f"a list of {len(items)}" if "a" in binding else f"a map with the keys {', '.join(sorted(items))}"
        hint = "check the index, key or attribute in the workflow"
        raise InputError(f"there is no {path[0]!r} in {what}", hint=hint) from None
    return part


def _join(first: list[Any] | None, second: list[Any] | None) -> list[Any] | None:
    if not first:
        return second
    return first + second if second else first


def close(bindings: dict[str, dict[str, Any]], scope: Scope) -> dict[str, Closed]:
    """Resolve ``bindings``: inline while they are small together, else by reference.

    Raises:
        flytemp.errors.InputError: an attribute path leads nowhere in the value.
    """
    resolver = Resolver()
    closed = _close(bindings, scope, resolver)
    return closed if resolver.size <= INLINE_BYTES else _close(bindings, scope, Resolver(by_reference=True))


def _close(bindings: dict[str, dict[str, Any]], scope: Scope, resolver: Resolver) -> dict[str, Closed]:
    closed: dict[str, Closed] = {}
    for var, binding in bindings.items():
        try:
            closed[var] = resolver.resolve(binding, scope)
        except InputError as error:
            raise type(error)(f"{var}: {error.message}", hint=error.hint) from error
    return closed
