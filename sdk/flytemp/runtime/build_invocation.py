"""The one place that builds an `Invocation`, for a worker and for a local run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flytemp import __version__
from flytemp.literals.types import Json
from flytemp.names import attempt_key
from flytemp.records.launch import ExecutionContext, raw_data_uri
from flytemp.runtime.invocation import Invocation
from flytemp.spec.bindings import Constants, with_constants
from flytemp.spec.models import TaskSpec, WorkflowDocument


@dataclass(frozen=True, slots=True)
class TryRequest:
    """One try, as the engine requests it.

    Attributes:
        execution_root: key of the execution in the store.
        node: path of the node.
        attempt: number of the attempt, from 1.
        try_: number of the try within the attempt, from 1.
        inputs: closed value of each input; empty if there are ``items``.
        epoch: of the workflow's reset in which the attempt began; empty without a reset.
        items: inputs of each call, if the try makes several calls of a map.
    """

    execution_root: str
    node: str
    attempt: int
    try_: int
    inputs: Mapping[str, Json]
    items: Sequence[Mapping[str, Json]] | None = None
    epoch: str = ""


def build_invocation(
    request: TryRequest,
    task: TaskSpec,
    document: WorkflowDocument,
    context: ExecutionContext,
    *,
    store: str,
    constants: Constants,
) -> Invocation:
    """Return the invocation of a try.

    Args:
        request: the try.
        task: the task with the overrides of its node.
        document: document that the task is in.
        context: context of the execution.
        store: URI of the store.
        constants: reader of the plan's constants, which replace their references in the inputs.
    """
    items = request.items
    key = attempt_key(request.attempt, request.epoch)
    return Invocation(
        store=store,
        execution_root=request.execution_root,
        node=request.node,
        attempt=request.attempt,
        try_=request.try_,
        epoch=request.epoch,
        task=task,
        bundle=task.bundle or document.bundle,
        inputs=with_constants(request.inputs, constants),
        items=None if items is None else tuple(with_constants(inputs, constants) for inputs in items),
        raw_data_prefix=f"{raw_data_uri(context.raw_data_prefix, request.execution_root)}/{request.node}/{key}",
        project=context.project,
        domain=context.domain,
        execution=context.execution,
        workflow=context.workflow,
        version=context.version,
        started_at=context.started_at,
        environment=task.settings.environment,
        interruptible=context.options.interruptible,
        service_account=context.options.service_account,
        labels=context.labels,
        annotations=context.annotations,
        worker_version=__version__,
        allows_loopback=context.allows_each_uri,
    )
