"""Documents that together contain every model of the spec."""

from __future__ import annotations

from flytemp.literals.types import (
    BlobType,
    EncodedType,
    EnumType,
    ListType,
    MapType,
    SimpleType,
    StructField,
    StructType,
    TupleType,
    UnionType,
)
from flytemp.spec.canonical import AnyDocument
from flytemp.spec.models import (
    AcceleratorSpec,
    BranchCase,
    BranchSpec,
    BundleRef,
    CacheSpec,
    Comparison,
    ContainerSpec,
    ErrorBinding,
    GateSpec,
    InputBinding,
    Interface,
    Junction,
    LaunchPlanDocument,
    LaunchPlanReference,
    LaunchPlanSpec,
    ListBinding,
    LiteralBinding,
    MapBinding,
    MapSpec,
    NodeOverrides,
    NodeSpec,
    OutputBinding,
    PodTemplateSpec,
    SecretRequest,
    SourceLocation,
    TaskDocument,
    TaskSettings,
    TaskSpec,
    Variable,
    WorkflowDocument,
    WorkflowSpec,
)

INTEGER = SimpleType(kind="integer")
TEXT = SimpleType(kind="string")
HERE = SourceLocation(file="program.py", line=1)


def every_type() -> tuple[Variable, ...]:
    """One input of each type."""
    types = {
        "simple": INTEGER,
        "enum": EnumType(name="Colour", values=("red",), members=("RED",)),
        "list": ListType(item=INTEGER),
        "tuple": TupleType(items=(INTEGER, TEXT)),
        "map": MapType(key=TEXT, value=INTEGER),
        "struct": StructType(name="Point", fields=(StructField(name="x", type=INTEGER),)),
        "union": UnionType(variants=(INTEGER, TEXT)),
        "file": BlobType(kind="file", format="csv"),
        "encoded": EncodedType(format="npy"),
    }
    optional = Variable(name="optional", type=INTEGER, required=False, default=1)
    return (*(Variable(name=name, type=type_) for name, type_ in types.items()), optional)


def full_settings() -> TaskSettings:
    return TaskSettings(
        cache=CacheSpec(version="1"),
        secrets=(SecretRequest(group="db"),),
        pod_template=PodTemplateSpec(spec={"containers": []}),
        accelerator=AcceleratorSpec(device="nvidia-l4"),
    )


def _nodes() -> tuple[NodeSpec, ...]:
    comparison = Comparison(operator="<", left=InputBinding(var="x"), right=LiteralBinding(value=1), type="integer")
    call = NodeSpec(id="n0", kind="task", target="m.t", inputs={"x": InputBinding(var="x")}, location=HERE)
    cases = (
        BranchCase(condition=Junction(kind="and", terms=(comparison,)), node=call),
        BranchCase(fail="neither"),
    )
    return (
        call,
        NodeSpec(id="n1", kind="branch", branch=BranchSpec(cases=cases)),
        NodeSpec(
            id="n2",
            kind="map",
            target="m.t",
            map=MapSpec(over=("x",)),
            inputs={"x": ListBinding(items=(LiteralBinding(value=1), OutputBinding(node="n0", var="o0")))},
        ),
        NodeSpec(id="n3", kind="gate", gate=GateSpec(kind="input", name="answer", type=INTEGER)),
        NodeSpec(id="n4", kind="sleep", sleep_seconds=1.0),
        NodeSpec(id="n5", kind="launch_plan", target="p", inputs={"x": MapBinding(entries={"a": LiteralBinding(value=1)})}),
    )


def sample_documents() -> list[AnyDocument]:
    """Return a document of each kind."""
    interface = Interface(inputs=(Variable(name="x", type=INTEGER),), outputs=(Variable(name="o0", type=INTEGER),))
    task = TaskSpec(name="m.t", interface=interface, loader="m:t", settings=full_settings(), location=HERE)
    command = TaskSpec(
        kind="container", name="m.c", interface=Interface(inputs=every_type()), loader="", container=ContainerSpec(image="i")
    )
    handler = NodeSpec(
        id="failed",
        kind="task",
        target="m.t",
        inputs={"x": ErrorBinding()},
        overrides=NodeOverrides(settings=TaskSettings()),
    )
    workflow = WorkflowSpec(
        name="m.w", interface=Interface(inputs=interface.inputs), nodes=_nodes(), on_failure=handler, location=HERE
    )
    bundle = BundleRef(digest="0" * 64, size=1)
    return [
        TaskDocument(task=command, bundle=bundle),
        WorkflowDocument(
            name="m.w",
            workflows={"m.w": workflow},
            tasks={"m.t": task},
            launch_plans={"p": LaunchPlanReference(name="p", interface=interface)},
            bundle=bundle,
        ),
        LaunchPlanDocument(
            launch_plan=LaunchPlanSpec(name="p", workflow="m.w", default_inputs={"x": 1}),
            interface=interface,
            workflow_digest="0" * 64,
        ),
    ]
