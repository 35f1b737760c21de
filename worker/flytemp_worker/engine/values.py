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

from flytemp.literals.navigate import value_at

if TYPE_CHECKING:
    from flytemp_worker.engine.machine import Scope

INLINE_BYTES = 8 * 1024
"""A node's inputs travel inline up to this many bytes in all, else by reference (design: budgets)."""

Closed = dict[str, Any]


class Resolver:
    """Resolves bindings within a scope; ``size`` sums the sizes of the task results that were inlined."""

    __slots__ = ("by_reference", "size")

    def __init__(self, by_reference: bool = False) -> None:
        self.by_reference = by_reference
        self.size = 0

    def resolve(self, binding: dict[str, Any], scope: Scope, path: list[Any] | None = None) -> Closed:
        if "l" in binding:
            return binding if not path else {"l": value_at(binding["l"], path)}
        if "n" in binding:
            return self._output(scope, binding["n"], binding["v"], _join(binding.get("p"), path))
        if "i" in binding:
            return self._input(scope, binding["i"], _join(binding.get("p"), path))
        if "a" in binding:
            items = binding["a"]
            return self.resolve(items[path[0]], scope, path[1:]) if path else {"a": [self.resolve(b, scope) for b in items]}
        if "m" in binding:
            entries = binding["m"]
            if path:
                return self.resolve(entries[str(path[0])], scope, path[1:])
            return {"m": {key: self.resolve(b, scope) for key, b in entries.items()}}
        return {"k": binding["k"], "p": _join(binding.get("p"), path) or []}

    def _input(self, scope: Scope, var: str, path: list[Any] | None) -> Closed:
        if scope.parent is not None:
            return self.resolve(scope.parent.plan.inputs[var], scope.parent.scope, path)
        literals = scope.inputs
        if literals is None or self.by_reference:
            return {"c": var, "p": path or []}
        return {"l": value_at(literals[var], path) if path else literals[var]}

    def _output(self, scope: Scope, index: int, var: str, path: list[Any] | None) -> Closed:
        node = scope.nodes[index]
        if node.child is not None:
            return self.resolve(node.child.graph.outputs[var], node.child, path)
        if node.outputs is None or (self.by_reference and node.size > 64):
            return {"r": f"{node.path}/{node.attempt}", "v": var, "p": path or []}
        self.size += node.size
        return {"l": value_at(node.outputs[var], path) if path else node.outputs[var]}


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
    closed = {var: resolver.resolve(binding, scope) for var, binding in bindings.items()}
    if resolver.size <= INLINE_BYTES:
        return closed
    resolver = Resolver(by_reference=True)
    return {var: resolver.resolve(binding, scope) for var, binding in bindings.items()}
