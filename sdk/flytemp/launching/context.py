"""Context of a new execution: everything that is decided when it starts."""

from __future__ import annotations

from collections.abc import Mapping

from flytemp.launching.inputs import merge_inputs
from flytemp.launching.launch_options import effective_options
from flytemp.launching.targets import LaunchTarget
from flytemp.layout import ExecutionLayout
from flytemp.literals.types import Json
from flytemp.names import execution_name
from flytemp.records.launch import ExecutionContext, LaunchOptions, ParentCall
from flytemp.spec.models import LaunchPlanDocument


def execution_context(
    target: LaunchTarget,
    layout: ExecutionLayout,
    *,
    inputs: Mapping[str, Json],
    options: LaunchOptions,
    raw_data_prefix: str,
    started_at: str,
    parent: ParentCall | None = None,
    allows_each_uri: bool = False,
) -> ExecutionContext:
    """Return the context of a new execution, with its complete inputs and effective options.

    Args:
        target: the entity to launch; its ids have a version.
        layout: the place of the execution in the store.
        inputs: the caller's inputs.
        options: the options of the launch itself.
        raw_data_prefix: the URI under which files are stored, unless an option sets one.
        started_at: the start time, as RFC 3339.
        parent: the call by the parent execution, for a child execution.
        allows_each_uri: files may be read at each address; see `ExecutionContext`.

    Raises:
        InputError: an input or an option is invalid.
    """
    document, spec_id = target.document, target.spec_id
    effective = effective_options(options, document, target.spec, parent)
    assert spec_id.version is not None
    return ExecutionContext(
        execution=execution_name(layout.workflow_id),
        project=target.entity.project,
        domain=target.entity.domain,
        entity=str(target.entity),
        spec=str(spec_id),
        workflow=spec_id.name,
        version=spec_id.version,
        launch_plan=document.name if isinstance(document, LaunchPlanDocument) else None,
        inputs=merge_inputs(document, inputs, is_child=parent is not None),
        options=effective,
        labels=effective.labels or {},
        annotations=effective.annotations or {},
        raw_data_prefix=(effective.raw_data_prefix or raw_data_prefix).rstrip("/"),
        namespace=layout.namespace,
        workflow_id=layout.workflow_id,
        first_run_id=layout.first_run_id,
        started_at=started_at,
        parent=parent,
        allows_each_uri=allows_each_uri,
    )
