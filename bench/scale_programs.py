"""Documents of any size for `just scale`, and the code of its dynamic task."""

from __future__ import annotations

from random import Random
from typing import Any

from flytemp.literals.types import ListType, SimpleType
from flytemp.spec.models import (
    Binding,
    InputBinding,
    Interface,
    LiteralBinding,
    MapSpec,
    NodeSpec,
    OutputBinding,
    TaskSpec,
    Variable,
    WorkflowDocument,
    WorkflowSpec,
)

_INT = SimpleType(kind="integer")
_INTS = ListType(item=_INT)
CODE = '''"""The tasks of the scale measurements."""

from flytemp import dynamic, task


@task
def step(x: int) -> int:
    return x + 1


@task
def join(a: int, b: int, c: int) -> int:
    return a + b + c


@dynamic
def fan(n: int) -> int:
    last = 0
    for _ in range(n):
        last = step(x=0)
    return last
'''


def _task(name: str, *inputs: str, kind: Any = "python") -> TaskSpec:
    variables = tuple(Variable(name=item, type=_INT) for item in inputs)
    interface = Interface(inputs=variables, outputs=(Variable(name="o0", type=_INT),))
    return TaskSpec(kind=kind, name=f"scale_tasks.{name}", interface=interface, loader=f"scale_tasks:{name}")


STEP, JOIN, FAN = _task("step", "x"), _task("join", "a", "b", "c"), _task("fan", "n", kind="dynamic")


def _document(name: str, nodes: list[NodeSpec], output: Binding, *others: WorkflowSpec, inputs: Any = ()) -> WorkflowDocument:
    outputs = (Variable(name="o0", type=_INTS if name.startswith("scale.map") else _INT),)
    root = WorkflowSpec(
        name=name, interface=Interface(inputs=inputs, outputs=outputs), nodes=tuple(nodes), outputs={"o0": output}
    )
    workflows = {spec.name: spec for spec in (root, *others)}
    return WorkflowDocument(name=name, workflows=workflows, tasks={task.name: task for task in (STEP, JOIN, FAN)})


def chain(nodes: int) -> WorkflowDocument:
    """Return a chain: each node takes the previous result."""
    specs: list[NodeSpec] = []
    for index in range(nodes):
        source: Binding = OutputBinding(node=f"n{index - 1}", var="o0") if index else LiteralBinding(value=0)
        specs.append(NodeSpec(id=f"n{index}", kind="task", target=STEP.name, inputs={"x": source}))
    return _document(f"scale.chain_{nodes}", specs, OutputBinding(node=f"n{nodes - 1}", var="o0"))


def random_graph(nodes: int, width: int = 200) -> WorkflowDocument:
    """Return a random graph: each node takes three of the previous ``width`` results; the graph is always the same."""
    random = Random(nodes)
    specs: list[NodeSpec] = []
    for index in range(nodes):
        sources: dict[str, Binding] = {}
        for name in ("a", "b", "c"):
            before = random.randrange(max(0, index - width), index) if index > 10 else None
            sources[name] = LiteralBinding(value=1) if before is None else OutputBinding(node=f"n{before}", var="o0")
        specs.append(NodeSpec(id=f"n{index}", kind="task", target=JOIN.name, inputs=sources))
    return _document(f"scale.random_{nodes}", specs, OutputBinding(node=f"n{nodes - 1}", var="o0"))


def fan(nodes: int) -> WorkflowDocument:
    specs = [
        NodeSpec(id=f"n{index}", kind="task", target=STEP.name, inputs={"x": LiteralBinding(value=0)}) for index in range(nodes)
    ]
    return _document(f"scale.fan_{nodes}", specs, OutputBinding(node=f"n{nodes - 1}", var="o0"))


def mapped() -> WorkflowDocument:
    """Return a workflow with one map over an input list."""
    node = NodeSpec(
        id="n0", kind="map", target=STEP.name, map=MapSpec(over=("x",)), inputs={"x": InputBinding(var="xs")}
    )
    inputs = (Variable(name="xs", type=_INTS),)
    return _document("scale.map", [node], OutputBinding(node="n0", var="o0"), inputs=inputs)


def dynamic(nodes: int) -> WorkflowDocument:
    """Return a workflow with a dynamic task whose graph has ``nodes`` nodes."""
    node = NodeSpec(id="n0", kind="dynamic", target=FAN.name, inputs={"n": LiteralBinding(value=nodes)})
    return _document(f"scale.dynamic_{nodes}", [node], OutputBinding(node="n0", var="o0"))


def nested(levels: int) -> WorkflowDocument:
    """Return nested workflows with a task before and after the sub-workflow at each level."""
    x = (Variable(name="x", type=_INT),)
    given: Binding = InputBinding(var="x")
    specs: list[WorkflowSpec] = []
    for level in range(levels, 0, -1):
        first = NodeSpec(id="n0", kind="task", target=STEP.name, inputs={"x": given})
        nodes = [first]
        if specs:
            nodes.append(
                NodeSpec(id="n1", kind="workflow", target=specs[-1].name, inputs={"x": OutputBinding(node="n0", var="o0")})
            )
        last = nodes[-1].id
        nodes.append(NodeSpec(id="n2", kind="task", target=STEP.name, inputs={"x": OutputBinding(node=last, var="o0")}))
        outputs: dict[str, Binding] = {"o0": OutputBinding(node="n2", var="o0")}
        interface = Interface(inputs=x, outputs=(Variable(name="o0", type=_INT),))
        specs.append(WorkflowSpec(name=f"scale.level_{level}", interface=interface, nodes=tuple(nodes), outputs=outputs))
    root = NodeSpec(id="n0", kind="workflow", target=specs[-1].name, inputs={"x": LiteralBinding(value=0)})
    return _document(f"scale.nested_{levels}", [root], OutputBinding(node="n0", var="o0"), *specs)
