"""Programs of the benchmarks: documents and equivalent hand-written workflows."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy

from flytemp.literals.types import SimpleType
from flytemp.spec.bindings import literal
from flytemp.spec.models import (
    Binding,
    Interface,
    LiteralBinding,
    NodeSpec,
    OutputBinding,
    TaskSpec,
    Variable,
    WorkflowDocument,
    WorkflowSpec,
)

_INT = SimpleType(kind="integer")
STEP = TaskSpec(
    name="bench.tasks.step",
    interface=Interface(inputs=(Variable(name="x", type=_INT),), outputs=(Variable(name="o0", type=_INT),)),
    loader="bench_tasks:step",
)


def document(shape: str, nodes: int, task: TaskSpec = STEP) -> WorkflowDocument:
    """Return a document. ``chain``: each node takes the previous result; ``fan``: all nodes take a literal.

    Args:
        shape: "chain" or "fan", or either of them with a suffix.
        nodes: number of nodes.
        task: the task that all nodes run.
    """
    name = f"bench.{shape}_{nodes}"
    specs = []
    for index in range(nodes):
        source: Binding = LiteralBinding(value=0)
        if shape.startswith("chain") and index:
            source = OutputBinding(node=f"n{index - 1}", var="o0")
        specs.append(NodeSpec(id=f"n{index}", kind="task", target=task.name, inputs={"x": source}))
    outputs: dict[str, Binding] = {"o0": OutputBinding(node=f"n{nodes - 1}", var="o0")}
    spec = WorkflowSpec(
        name=name, interface=Interface(outputs=(Variable(name="o0", type=_INT),)), nodes=tuple(specs), outputs=outputs
    )
    return WorkflowDocument(name=name, workflows={name: spec}, tasks={task.name: task})


@workflow.defn(sandboxed=False)
class HandWritten:
    """Hand-written Temporal workflow for the same work, without engine, plan and record."""

    @workflow.run
    async def run(self, job: dict[str, Any]) -> Any:
        if job["shape"] == "chain":
            result: Any = {"outputs": {"o0": 0}}
            for index in range(job["nodes"]):
                result = await _call(job, index, result["outputs"]["o0"])
            return result
        return len(await asyncio.gather(*[_call(job, index, 0) for index in range(job["nodes"])]))


def _call(job: dict[str, Any], index: int, value: Any) -> Any:
    node = f"n{index}"
    argument = {
        "execution": job["root"],
        "node": node,
        "graph": job["workflow"],
        "task": STEP.name,
        "attempt": 1,
        "try_": 1,
        "inputs": {"x": literal(value)},
    }
    return workflow.start_activity(
        "flytemp.run_task",
        argument,
        task_queue=job["queue"],
        activity_id=f"{node}@1.1",
        start_to_close_timeout=timedelta(days=3650),
        heartbeat_timeout=timedelta(seconds=10),
        retry_policy=RetryPolicy(initial_interval=timedelta(seconds=0.5), maximum_interval=timedelta(seconds=10)),
        cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        summary=f"{node} step",
    )
