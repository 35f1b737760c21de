"""Execution built from its context: the same for a live view, a record and a local run."""

from __future__ import annotations

from datetime import datetime

from flytemp.layout import ExecutionLayout
from flytemp.records.launch import ExecutionContext, raw_data_uri
from flytemp.records.models import Execution, NodeExecution, Phase
from flytemp.store.object_store import ObjectStore


def execution_of(
    context: ExecutionContext, layout: ExecutionLayout, store: ObjectStore, phase: Phase, nodes: list[NodeExecution]
) -> Execution:
    """Return the execution without its outputs, error and end."""
    return Execution(
        name=context.execution,
        project=context.project,
        domain=context.domain,
        phase=phase,
        workflow=context.workflow,
        version=context.version,
        launch_plan=context.launch_plan,
        inputs=context.inputs,
        nodes=nodes,
        started_at=datetime.fromisoformat(context.started_at),
        labels=context.labels,
        annotations=context.annotations,
        warnings=context.warnings,
        namespace=layout.namespace,
        workflow_id=layout.workflow_id,
        run_id=layout.first_run_id,
        metadata_uri=store.uri_of(layout.root),
        raw_data_uri=raw_data_uri(context.raw_data_prefix, layout.root),
    )
