"""A document with a node of every kind, for tests of drawings."""

from __future__ import annotations

from flytemp.literals.types import ListType, SimpleType
from flytemp.spec.models import (
    Binding,
    BranchCase,
    BranchSpec,
    Comparison,
    ErrorBinding,
    GateSpec,
    InputBinding,
    Interface,
    Junction,
    LaunchPlanReference,
    ListBinding,
    LiteralBinding,
    MapSpec,
    NodeOverrides,
    NodeSpec,
    OutputBinding,
    Retries,
    TaskSettings,
    TaskSpec,
    Variable,
    WorkflowDocument,
    WorkflowSpec,
)

INT = SimpleType(kind="integer")
FLOAT = SimpleType(kind="float")
INTERFACE = Interface(inputs=(Variable(name="x", type=INT),), outputs=(Variable(name="o0", type=INT),))


def out(node: str, var: str = "o0", *path: str | int) -> OutputBinding:
    return OutputBinding(node=node, var=var, path=path)


def task(name: str, kind: str = "python", **settings: object) -> TaskSpec:
    return TaskSpec.model_validate(
        {"kind": kind, "name": name, "interface": INTERFACE, "loader": "wf:f", "settings": TaskSettings.model_validate(settings)}
    )


def call(identifier: str, target: str, **inputs: Binding) -> NodeSpec:
    return NodeSpec(id=identifier, kind="task", target=target, inputs=inputs)


def compare(left: Binding, operator: str, right: object) -> Comparison:
    return Comparison.model_validate({"left": left, "operator": operator, "right": LiteralBinding(value=right), "type": "float"})


def branch() -> NodeSpec:
    """Return a branch of three cases and a failure; the second case is a branch."""
    nested = NodeSpec(
        id="n1",
        kind="branch",
        branch=BranchSpec(
            cases=(
                BranchCase(
                    condition=Junction(
                        kind="and",
                        terms=(
                            compare(InputBinding(var="x"), ">", 3),
                            Junction(kind="or", terms=(compare(out("n0"), "==", 1), compare(out("n0"), "==", 2))),
                        ),
                    ),
                    node=call("n0", "wf.tune", x=out("n0")),
                ),
                BranchCase(node=NodeSpec(id="n1", kind="workflow", target="wf.sub", inputs={"x": out("n0")})),
            )
        ),
        overrides=NodeOverrides(name="how"),
    )
    cases = (
        BranchCase(condition=compare(out("n0", "score", "best"), ">=", 0.9), node=call("n0", "wf.keep", x=out("n0"))),
        BranchCase(condition=compare(out("n0", "score", "best"), ">=", 0.5), node=nested),
        BranchCase(fail="the data is too bad to go on with"),
    )
    return NodeSpec(id="n1", kind="branch", branch=BranchSpec(cases=cases), overrides=NodeOverrides(name="quality"))


def every_kind() -> WorkflowDocument:
    """Return the workflow: load, branch, map, dynamic, child execution, gates, sleep, map of workflows, failure node."""
    patient = TaskSettings(retries=Retries(count=3), timeout_seconds=1800, queued_timeout_seconds=300, deadline_seconds=7200)
    root = (
        call("n0", "wf.load", x=InputBinding(var="x")),
        branch(),
        NodeSpec(
            id="n2", kind="map", target="wf.fit", inputs={"x": out("n1")},
            map=MapSpec(over=("x",), concurrency=10, min_success_ratio=0.9),
        ),
        NodeSpec(id="n3", kind="dynamic", target="wf.grow", inputs={"x": out("n0")}),
        NodeSpec(id="n4", kind="launch_plan", target="nightly", inputs={"x": out("n3")}),
        NodeSpec(
            id="n5", kind="gate", inputs={"value": out("n2")},
            gate=GateSpec(kind="approve", name="looks-good", timeout_seconds=3600),
        ),
        NodeSpec(id="n6", kind="gate", gate=GateSpec(kind="input", name="threshold", type=FLOAT)),
        NodeSpec(id="n7", kind="sleep", sleep_seconds=5400, after=("n4",)),
        NodeSpec(
            id="n8", kind="map", target="wf.sub", inputs={"x": ListBinding(items=(out("n3"), out("n4"), out("n5")))},
            map=MapSpec(kind="workflow", over=("x",)), after=("n7",),
        ),
        NodeSpec(
            id="n9", kind="task", target="wf.report", inputs={"xs": out("n8"), "limit": out("n6"), "ok": out("n5")},
            overrides=NodeOverrides(settings=patient),
        ),
    )  # fmt: skip
    sub = (call("n0", "wf.fit", x=InputBinding(var="x")), call("n1", "wf.tune", x=out("n0")))
    handler = NodeSpec(id="fn0", kind="task", target="wf.clean_up", inputs={"err": ErrorBinding()})
    return WorkflowDocument(
        name="wf.everything",
        workflows={
            "wf.everything": WorkflowSpec(
                name="wf.everything", interface=INTERFACE, nodes=root, on_failure=handler, timeout_seconds=86400
            ),
            "wf.sub": WorkflowSpec(name="wf.sub", interface=INTERFACE, nodes=sub, timeout_seconds=600),
        },
        tasks={
            "wf.fit": task("wf.fit", retries={"count": 1}),
            "wf.grow": task("wf.grow", "dynamic", timeout_seconds=90),
            **{name: task(name) for name in ("wf.load", "wf.keep", "wf.tune", "wf.report", "wf.clean_up")},
        },
        launch_plans={
            "nightly": LaunchPlanReference(
                name="nightly", interface=Interface(inputs=(Variable(name="x", type=ListType(item=INT)),))
            )
        },
    )
