"""Nodes that call launch plans."""

from __future__ import annotations

from flytemp import LaunchPlan, create_node, task, workflow
from flytemp.compiler import compile_entity
from flytemp.spec.models import LiteralBinding, OutputBinding
from tests.messages.golden import check_golden, unlocated


@task
def add(a: int, b: int) -> int:
    return a + b


@workflow
def child(a: int, b: int, c: int = 1) -> int:
    return add(a=add(a=a, b=b), b=c)


plan = LaunchPlan.get_or_create(child, "child_plans_test", default_inputs={"a": 5}, fixed_inputs={"b": 10})


@workflow
def parent(x: int) -> int:
    first = plan(a=x).with_overrides(node_name="first")  # type: ignore[attr-defined]
    second = create_node(plan, c=first)
    return add(a=second.o0, b=LaunchPlan.get_or_create(child)(a=1, b=2))  # type: ignore[arg-type]


def test_a_document_refers_to_called_launch_plans() -> None:
    document = compile_entity(parent)
    first, second, third, _ = document.root.nodes
    assert (first.id, first.kind, first.target) == ("first", "launch_plan", "child_plans_test")
    assert second.inputs == {"a": LiteralBinding(value=5), "c": OutputBinding(node="first", var="o0")}
    assert third.target == child.name
    assert set(document.launch_plans) == {"child_plans_test", child.name}
    inputs = document.launch_plans["child_plans_test"].interface.inputs
    assert [(variable.name, variable.required, variable.default) for variable in inputs] == [("a", False, 5), ("c", False, 1)]
    assert list(document.workflows) == [parent.name]


def test_a_plain_call_runs_the_workflow_of_a_launch_plan() -> None:
    assert parent(x=1) == (5 + 10 + (1 + 10 + 1)) + 4


def test_invalid_calls_are_refused() -> None:
    @workflow
    def fixed() -> int:
        return plan(b=3)

    @workflow
    def positional() -> int:
        return plan(3)

    @workflow
    def unknown() -> int:
        return plan(z=3)

    @workflow
    def missing() -> int:
        return LaunchPlan.get_or_create(child)(a=1)

    @workflow
    def wrong() -> int:
        return plan(a="x")

    @workflow
    def overridden() -> int:
        return plan(a=1).with_overrides(retries=2)  # type: ignore[attr-defined, no-any-return]

    flows = [fixed, positional, unknown, missing, wrong, overridden]
    check_golden("child-plans", {flow.function.__name__: unlocated(flow.spec) for flow in flows})


def test_aliases_name_outputs() -> None:
    @workflow
    def wf(x: int) -> int:
        node = create_node(add, a=x, b=1).with_overrides(aliases={"o0": "total"})
        return add(a=node.total, b=node.o0)  # type: ignore[arg-type]

    assert wf.spec().nodes[1].inputs == {"a": OutputBinding(node="n0", var="o0"), "b": OutputBinding(node="n0", var="o0")}
    assert wf(x=1) == 4
