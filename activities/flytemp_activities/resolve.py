"""`resolve`: from a launch, written by anyone in any language, to a plan that the engine can run."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError
from temporalio import activity
from temporalio.client import Client as TemporalClient
from temporalio.service import RPCError

from flytemp.errors import FlytempError, InputError, NotFound
from flytemp.launching.context import execution_context
from flytemp.launching.targets import find_target, load_target
from flytemp.layout import ExecutionLayout
from flytemp.literals.sizes import INLINE_BYTES
from flytemp.names import check_domain, check_project
from flytemp.protocol.search_attributes import searchable_labels
from flytemp.records.launch import (
    ExecutionContext,
    LaunchRequest,
    Resolved,
    ResolvedSettings,
    project_and_domain,
)
from flytemp.records.models import Phase
from flytemp.records.stored import newest_record
from flytemp.spec.pages import to_pages
from flytemp.spec.plan import plan_of
from flytemp.temporal.search_attributes import missing_search_attributes
from flytemp_activities.application_errors import control_activity
from flytemp_activities.executions import Executions, inline_bytes

INTERPRETER_VERSION = 1
"""The behaviour version that new executions get; see `flytemp_worker.workflow.interpreter`."""

class LaunchResolver:
    """Chooses the version, applies defaults, validates inputs, writes `execution.json`, returns the plan.

    Args:
        executions: the store's executions and documents.
        temporal: the worker's client, to ask which search attributes the namespace knows.
        settings: the worker's settings that executions resolved here will obey.
        raw_data_prefix: where files go, unless the launch or its launch plan says.
    """

    def __init__(
        self, executions: Executions, temporal: TemporalClient, settings: ResolvedSettings, raw_data_prefix: str
    ) -> None:
        self._raw_data_prefix = raw_data_prefix
        self._executions = executions
        self._temporal = temporal
        self._settings = settings
        self._has_search_attributes = False

    @activity.defn(name="flytemp.resolve")
    @control_activity
    async def resolve(self, argument: dict[str, Any]) -> dict[str, Any]:
        """See the module. ``argument``: the launch, and the workflow's namespace, id, first run and start time."""
        layout = ExecutionLayout(argument["namespace"], argument["workflow_id"], argument["first_run_id"])
        context, pages = await asyncio.to_thread(self._prepare, argument, layout)
        retry, state_pages = None, 0
        if context.first_run_id != layout.first_run_id:  # it goes on where an execution of this id had ended
            layout = ExecutionLayout(layout.namespace, layout.workflow_id, context.first_run_id)
            retry = _parse(argument["launch"]).retry
            state_pages = len(await asyncio.to_thread(self._executions.store.list, layout.closed_state))
        labels = searchable_labels(context.labels)
        warnings = list(context.warnings)
        if not await self._search_attributes():
            warnings.append(
                "the namespace has no flytemp search attributes, so lists cannot be filtered: run flytemp setup"
            )
        elif len(labels) < len(context.labels):
            warnings.append(
                f"{len(context.labels) - len(labels)} of {len(context.labels)} labels are too long to search for"
            )
        inputs = context.inputs if inline_bytes(context.inputs) <= INLINE_BYTES else None
        return Resolved(
            interpreter=INTERPRETER_VERSION,
            root=layout.root,
            execution=context.execution,
            project=context.project,
            domain=context.domain,
            workflow=context.workflow,
            version=context.version,
            launch_plan=context.launch_plan,
            labels=labels,
            inputs=inputs,
            plan=pages[0] if len(pages) == 1 else None,
            plan_pages=len(pages),
            settings=self._effective_settings(context),
            search_attributes=self._has_search_attributes,
            warnings=warnings,
            options=context.options,
            parent=context.parent,
            timeout_seconds=context.options.timeout_seconds,
            retry=retry,
            state_pages=state_pages,
        ).to_json()

    def _effective_settings(self, context: ExecutionContext) -> ResolvedSettings:
        chosen = context.options.max_parallelism
        return self._settings if chosen is None else self._settings.model_copy(update={"max_parallelism": chosen})

    def _prepare(self, argument: dict[str, Any], layout: ExecutionLayout) -> tuple[ExecutionContext, list[str]]:
        """The context and the plan's pages. A launch that was resolved before is not decided again."""
        try:
            if not self._executions.store.exists(layout.execution):
                request = _parse(argument["launch"])
                context = self._reopen(layout) if request.retry is not None else self._decide(request, argument, layout)
                self._executions.store.create(layout.execution, context.model_dump_json().encode())
        except RecursionError as error:
            raise InputError("the launch is nested too deeply", hint="write large data to a file") from error
        except PydanticSerializationError as error:
            raise InputError(f"the launch holds text that is no Unicode: {error}", hint="write bytes as base64") from error
        context = self._executions.context(layout.root)
        pages = to_pages(plan_of(self._executions.document(context.spec)))
        if len(pages) > 1:
            for number, page in enumerate(pages):
                self._executions.store.write(layout.plan_page(number), page.encode())
        return context, pages

    def _reopen(self, layout: ExecutionLayout) -> ExecutionContext:
        """The context of the execution of this id that ended last: its root stays the root of all that is kept of it."""
        record = newest_record(self._executions.store, layout.namespace, layout.workflow_id)
        if record is None:
            raise NotFound("the execution left no record from which it could go on", hint="launch it again, by another name")
        if record.phase is Phase.SUCCEEDED:
            raise InputError("the execution succeeded: there is nothing to try again")
        before = ExecutionLayout(layout.namespace, layout.workflow_id, record.run_id)
        if not self._executions.store.list(before.closed_state):
            raise NotFound("the execution left no state from which it could go on", hint="launch it again, by another name")
        return self._executions.context(before.root)

    def _decide(self, request: LaunchRequest, argument: dict[str, Any], layout: ExecutionLayout) -> ExecutionContext:
        project, domain = _place(request, layout.workflow_id)
        entity, document = find_target(
            self._executions.registry, request.launch_plan, project=project, domain=domain, version=request.version
        )
        return execution_context(
            load_target(self._executions.registry, entity, document),
            layout,
            inputs=self._given(request),
            options=request.options,
            raw_data_prefix=self._raw_data_prefix,
            started_at=argument["started_at"],
            parent=request.parent,
        )

    def _given(self, request: LaunchRequest) -> dict[str, Any]:
        """The caller's inputs. ``inputs_uri`` must lie in the store: a launch may not make a worker read elsewhere."""
        if request.inputs_uri is None:
            return request.inputs
        root = f"{self._executions.store.uri}/"
        if not request.inputs_uri.startswith(root):
            raise InputError(
                f"inputs_uri must be an object of this worker's store, {root}…", hint="copy the inputs there"
            )
        try:
            stored = json.loads(self._executions.store.read(request.inputs_uri.removeprefix(root)))
        except FlytempError:
            raise
        except ValueError as error:
            raise InputError(f"{request.inputs_uri} is not JSON: {error}") from error
        if not isinstance(stored, dict):
            raise InputError(f"{request.inputs_uri} is not a JSON object of inputs")
        return {**stored, **request.inputs}

    async def _search_attributes(self) -> bool:
        """Whether the namespace knows them all. A yes is remembered; a no is asked again, for `setup` may follow."""
        if not self._has_search_attributes:
            try:
                self._has_search_attributes = not await missing_search_attributes(self._temporal)
            except RPCError as error:  # a cloud namespace may not let a worker list them
                activity.logger.warning("cannot list the namespace's search attributes: %s", error.message)
        return self._has_search_attributes


def _parse(launch: Any) -> LaunchRequest:
    try:
        return LaunchRequest.model_validate(launch)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the input"
        raise InputError(
            f"the launch is not understood: {where}: {first['msg']}",
            hint='the workflow\'s input is {"launch_plan": name, "inputs": {…}, "options": {…}}',
        ) from error


def _place(request: LaunchRequest, workflow_id: str) -> tuple[str, str]:
    """Project and domain: as the request says, else as the workflow id does."""
    project, domain = project_and_domain(workflow_id)
    return check_project(request.project or project), check_domain(request.domain or domain)
