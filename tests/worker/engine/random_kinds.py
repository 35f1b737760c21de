"""Random conditionals, maps, gates and sleeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from flytemp.spec.models import (
    Binding,
    BranchCase,
    BranchSpec,
    Comparison,
    Condition,
    GateSpec,
    Junction,
    ListBinding,
    MapSpec,
    NodeSpec,
)

from .programs import ANY, variables

if TYPE_CHECKING:
    from .random_programs import BindingReader, Callee, Draw

Made = tuple[NodeSpec, dict[str, str], int]
"""A node, the kinds of its outputs, and the number of nodes that it adds."""

MOST_DEPTH = 2
"""Maximum nesting of conditionals."""

operators = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])


def another_node(draw: Draw, node_id: str, callees: list[Callee], sources: list[BindingReader], before: list[str]) -> Made:
    what = draw(st.sampled_from(["branch", "map", "branch", "map", "gate", "sleep"]))
    if what == "branch":
        return _branch(draw, node_id, callees, sources, before, 1)
    if what == "map":
        return _map(draw, node_id, callees, sources, before)
    return _gate(draw, node_id, sources, before) if what == "gate" else _sleep(draw, node_id, before)


def _gate(draw: Draw, node_id: str, sources: list[BindingReader], before: list[str]) -> Made:
    from .random_programs import after, binding

    timeout = draw(st.sampled_from([None, None, 10.0]))
    number = draw(st.integers(0, 2))
    if draw(st.booleans()):
        gate = GateSpec(kind="approve", name=f"ok{number}", timeout_seconds=timeout)
        inputs: dict[str, Binding] = {"value": binding(draw, "number", sources)}
    else:
        gate, inputs = GateSpec(kind="input", name=f"in{number}", type=ANY, timeout_seconds=timeout), {}
    spec = NodeSpec(id=node_id, kind="gate", gate=gate, inputs=inputs, after=after(draw, before))
    return spec, {"o0": "number"}, 1


def _sleep(draw: Draw, node_id: str, before: list[str]) -> Made:
    from .random_programs import after

    seconds = draw(st.sampled_from([0.0, 5.0]))
    return NodeSpec(id=node_id, kind="sleep", sleep_seconds=seconds, after=after(draw, before)), {}, 1


# ------------------------------------------------------------------------------------ conditionals


def _branch(draw: Draw, node_id: str, callees: list[Callee], sources: list[BindingReader], before: list[str], depth: int) -> Made:
    """Draw a conditional: all of its cases have the outputs x and s, or it has no outputs."""
    from .random_programs import after

    full = draw(st.integers(0, 3)) > 0
    cases: list[BranchCase] = []
    weight = 1
    for index in range(draw(st.integers(1, 3))):
        condition = _condition(draw, sources, 0)
        if draw(st.integers(0, 11)) == 0:
            cases.append(BranchCase(condition=condition, fail="not today"))
            continue
        then, added = _case(draw, f"n{index}", callees, sources, full, depth)
        weight += added
        cases.append(BranchCase(condition=condition, node=then))
    then, added = _case(draw, "other", callees, sources, full, depth)
    cases.append(BranchCase(node=then))
    spec = BranchSpec(cases=tuple(cases), outputs=variables("x", "s") if full else ())
    made = NodeSpec(id=node_id, kind="branch", branch=spec, after=after(draw, before))
    return made, {"x": "number", "s": "record"} if full else {}, weight + added


def _case(
    draw: Draw, node_id: str, callees: list[Callee], sources: list[BindingReader], full: bool, depth: int
) -> tuple[NodeSpec, int]:
    from .random_programs import call

    if depth < MOST_DEPTH and draw(st.integers(0, 4)) == 0:
        nested, outputs, weight = _branch(draw, node_id, callees, sources, [], depth + 1)
        if outputs or not full:
            return nested, weight
    if not full and draw(st.booleans()):
        made, _, _ = _gate(draw, node_id, sources, []) if draw(st.booleans()) else _sleep(draw, node_id, [])
        return made, 1
    callee = draw(st.sampled_from(callees))
    return call(draw, node_id, callee, sources, []), callee.weight


def _condition(draw: Draw, sources: list[BindingReader], depth: int) -> Condition:
    from .random_programs import binding

    if depth < 2 and draw(st.integers(0, 3)) == 0:
        terms = tuple(_condition(draw, sources, depth + 1) for _ in range(draw(st.integers(1, 2))))
        return Junction(kind=draw(st.sampled_from(["and", "or"])), terms=terms)
    sides = [binding(draw, "number", sources) for _ in range(2)]
    return Comparison(operator=draw(operators), left=sides[0], right=sides[1], type="any")


# -------------------------------------------------------------------------------------------- maps


def _map(draw: Draw, node_id: str, callees: list[Callee], sources: list[BindingReader], before: list[str]) -> Made:
    """Draw a map over one input of its callee, or over all of them with lists of the same length."""
    from .random_programs import after, binding

    fitting = [callee for callee in callees if any(kind in ("number", "record", "any") for kind in callee.inputs.values())]
    if not fitting:
        return _sleep(draw, node_id, before)
    callee = draw(st.sampled_from(fitting))
    single = [var for var, kind in callee.inputs.items() if kind in ("number", "record", "any")]
    over = tuple(single) if draw(st.integers(0, 3)) == 0 else (draw(st.sampled_from(single)),)
    length = draw(st.integers(0, 5))
    inputs: dict[str, Binding] = {}
    for var, kind in callee.inputs.items():
        if var not in over:
            inputs[var] = binding(draw, kind, sources)
        elif len(over) == 1:
            inputs[var] = binding(draw, "numbers" if kind in ("any", "number") else "records", sources)
        else:
            inputs[var] = ListBinding(items=tuple(binding(draw, kind, sources) for _ in range(length)))
    spec = MapSpec(
        kind=callee.kind,
        over=over,
        concurrency=draw(st.sampled_from([None, 0, 1, 2])),
        min_successes=draw(st.sampled_from([None, None, None, 1])),
        min_success_ratio=draw(st.sampled_from([1.0, 1.0, 1.0, 0.5, 0.0])),
        items_per_task=draw(st.sampled_from([1, 1, 2, 3])) if callee.kind == "task" else 1,
        run_all=draw(st.booleans()),
    )
    whole = spec.min_success_ratio == 1.0
    lists = {"number": "numbers", "record": "records", "any": "any"}
    outputs = {var: lists[kind] if whole else "any" for var, kind in callee.outputs.items()}
    made = NodeSpec(id=node_id, kind="map", target=callee.name, inputs=inputs, map=spec, after=after(draw, before))
    return made, outputs, 1 + 5 * callee.weight
