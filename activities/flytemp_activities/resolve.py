"""Activity that turns a launch, written in any language, into a plan and settings that the engine can run."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError
from temporalio import activity
from temporalio.client import Client as TemporalClient
from temporalio.service import RPCError

from flytemp.errors import FlytempError, InputError, NotFound
from flytemp.launching.context import execution_context
from flytemp.launching.inputs import full_interface
from flytemp.launching.targets import find_target, load_target
from flytemp.layout import ExecutionLayout
from flytemp.literals.allowed_uris import AllowedUris
from flytemp.literals.sizes import INLINE_BYTES
from flytemp.names import check_domain, check_project
from flytemp.protocol.activities import RESOLVE, ResolveArgument
from flytemp.protocol.search_attributes import searchable_labels
from flytemp.protocol.workflow import ExecutionSettings, ParentNode, Resolved
from flytemp.records.launch import (
    ExecutionContext,
    LaunchRequest,
    project_and_domain,
)
from flytemp.records.models import Phase
from flytemp.records.stored import newest_record
from flytemp.registry.platform_limits import read_limits
from flytemp.spec.graphs import pools_of
from flytemp.spec.models import Interface
from flytemp.spec.pages import to_pages
from flytemp.spec.plan import plan_of
from flytemp.temporal.search_attributes import missing_search_attributes
from flytemp_activities.definitions import control_activity
from flytemp_activities.executions import Executions, inline_bytes
from flytemp_activities.worker_pools import pool_warnings


class LaunchResolver:
    """Resolver of launches: chooses the version, applies defaults, checks inputs, writes the context and returns the plan.

    Args:
        executions: the store's executions and documents.
        temporal: the worker's client, which looks up the namespace's search attributes.
        settings: the worker's settings that apply to the executions it resolves.
        raw_data_prefix: the URI below which files are written unless the launch or its launch plan has another.
    """

    def __init__(
        self, executions: Executions, temporal: TemporalClient, settings: ExecutionSettings, raw_data_prefix: str
    ) -> None:
        self._raw_data_prefix = raw_data_prefix
        self._executions = executions
        self._temporal = temporal
        self._settings = settings
        self._has_search_attributes = False

    @control_activity(RESOLVE)
    async def resolve(self, argument: ResolveArgument) -> Resolved:
        """Return the plan and settings of a launch. See the module."""
        layout = ExecutionLayout(argument.namespace, argument.workflow_id, argument.first_run_id)
        context, pages = await asyncio.to_thread(self._prepare, argument, layout)
        retry_nodes, state_pages = None, 0
        if context.first_run_id != layout.first_run_id:  # a closed execution of this workflow id is retried
            layout = ExecutionLayout(layout.namespace, layout.workflow_id, context.first_run_id)
            retry = _parse(argument.launch).retry
            retry_nodes = retry.nodes if retry is not None else None
            state_pages = len(await asyncio.to_thread(self._executions.store.list, layout.closed_state))
        labels = searchable_labels(context.labels)
        parent = context.parent if retry_nodes is None else None  # the node that started a retried execution has ended
        return Resolved(
            root=layout.root,
            execution=context.execution,
            project=context.project,
            domain=context.domain,
            workflow=context.workflow,
            version=context.version,
            settings=self._effective_settings(context),
            plan_pages=len(pages),
            launch_plan=context.launch_plan,
            labels=labels,
            inputs=context.inputs if inline_bytes(context.inputs) <= INLINE_BYTES else None,
            plan=pages[0] if len(pages) == 1 else None,
            search_attributes=await self._search_attributes(),
            warnings=[
                *context.warnings,
                *self._search_warnings(len(context.labels), len(labels)),
                *await pool_warnings(self._temporal, pools_of(self._executions.document(context.spec)), self._settings),
            ],
            options=context.options.model_dump(mode="json", exclude_none=True),
            parent=ParentNode(parent.workflow_id, parent.node, parent.attempt) if parent is not None else None,
            timeout_seconds=context.options.timeout_seconds,
            retry_nodes=retry_nodes,
            state_pages=state_pages,
            is_reset=activity.info().workflow_run_id != argument.first_run_id,
        )

    def _search_warnings(self, labels: int, searchable: int) -> list[str]:
        """Return warnings about executions that lists cannot filter. `_search_attributes` must have been called."""
        if not self._has_search_attributes:
            return ["the namespace has no flytemp search attributes, so lists cannot be filtered: run flytemp setup"]
        if searchable < labels:
            return [f"{labels - searchable} of {labels} labels are too long to search for"]
        return []

    def _effective_settings(self, context: ExecutionContext) -> ExecutionSettings:
        chosen = context.options.max_parallelism
        return self._settings if chosen is None else replace(self._settings, max_parallelism=chosen)

    def _prepare(self, argument: ResolveArgument, layout: ExecutionLayout) -> tuple[ExecutionContext, list[str]]:
        """Return the context and the plan's pages. The context of a launch that was resolved before is reused."""
        try:
            if not self._executions.store.exists(layout.execution):
                request = _parse(argument.launch)
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
        """Return the context of the last closed execution of this workflow id. The retried execution keeps its root folder."""
        record = newest_record(self._executions.store, layout.namespace, layout.workflow_id)
        if record is None:
            raise NotFound(
                "no record of the previous run was found, so it cannot be retried", hint="launch it again under another name"
            )
        if record.phase is Phase.SUCCEEDED:
            raise InputError("the execution succeeded, so no node can be retried")
        before = ExecutionLayout(layout.namespace, layout.workflow_id, record.run_id)
        if not self._executions.store.list(before.closed_state):
            raise NotFound(
                "no state of the previous run was found, so it cannot be retried", hint="launch it again under another name"
            )
        return self._executions.context(before.root)

    def _decide(self, request: LaunchRequest, argument: ResolveArgument, layout: ExecutionLayout) -> ExecutionContext:
        project, domain = _place(request, layout.workflow_id)
        entity, document = find_target(
            self._executions.registry, request.launch_plan, project=project, domain=domain, version=request.version
        )
        given = self._given(request)
        context = execution_context(
            load_target(self._executions.registry, entity, document),
            layout,
            inputs=given,
            options=request.options,
            raw_data_prefix=self._raw_data_prefix,
            started_at=argument.started_at,
            parent=request.parent,
            allows_each_uri=self._settings.allowed_uris is None,
        )
        # The values of a child execution are those of its parent. The workflow has checked that the parent started it.
        if request.parent is None:
            self._check_uris(request, full_interface(document), {name: context.inputs[name] for name in given})
        self._check_account(context)
        return context

    def _check_uris(self, request: LaunchRequest, interface: Interface, given: dict[str, Any]) -> None:
        """Raise InputError if the launch itself, and not the registered program, names a URI that is not allowed."""
        allowed = AllowedUris(self._settings.allowed_uris)
        allowed.check_literals(given, {variable.name: variable.type for variable in interface.inputs})
        if (prefix := request.options.raw_data_prefix) is not None:
            allowed.check("raw_data_prefix", prefix)

    def _check_account(self, context: ExecutionContext) -> None:
        """Raise InputError if the policy of the workers of tasks without a pool does not list the service account."""
        account = context.options.service_account
        if account is None:
            return
        rules = read_limits(self._executions.store, activity.info().task_queue).pods
        if rules is not None and not rules.of(context.project, context.domain).permits_account(account):
            raise InputError(
                f"service_account {account!r} is not allowed in {context.project}-{context.domain}",
                hint="the policy of the workers lists the allowed ones under allow.service_accounts",
            )

    def _given(self, request: LaunchRequest) -> dict[str, Any]:
        """Return the caller's inputs. ``inputs_uri`` must be in the store: a launch may not make a worker read other places."""
        if request.inputs_uri is None:
            return request.inputs
        root = f"{self._executions.store.uri}/"
        if not request.inputs_uri.startswith(root):
            raise InputError(f"inputs_uri must be an object in the worker's store: {root}…", hint="copy the inputs to the store")
        if request.parent is None:  # a launch must not read the values of other executions in the store
            AllowedUris(self._settings.allowed_uris).check("inputs_uri", request.inputs_uri)
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
        """Return whether the namespace has all search attributes. A negative answer is not cached: `setup` may add them."""
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
            f"invalid launch: {where}: {first['msg']}",
            hint='the workflow\'s input is {"launch_plan": name, "inputs": {…}, "options": {…}}',
        ) from error


def _place(request: LaunchRequest, workflow_id: str) -> tuple[str, str]:
    """Return project and domain from the request, or else from the workflow id."""
    project, domain = project_and_domain(workflow_id)
    return check_project(request.project or project), check_domain(request.domain or domain)
