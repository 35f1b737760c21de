"""The client: register programs, launch and find executions. Asynchronous; `flytemp.client.sync` is its facade."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, overload

from temporalio.client import Client as TemporalClient
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from flytemp.authoring.launch_plan import LaunchPlan
from flytemp.authoring.task import Task
from flytemp.authoring.workflow import Workflow
from flytemp.client import gates, listing
from flytemp.client.arguments import Call, call_of
from flytemp.client.gates import WaitingGate
from flytemp.client.handle import ExecutionHandle
from flytemp.client.registration import Registration, register_paths
from flytemp.config import Settings, load_settings
from flytemp.errors import AlreadyExists, InvalidName
from flytemp.launching.execution_names import generate_name, launch_digest
from flytemp.launching.inputs import merge_inputs
from flytemp.launching.launch_options import check_options
from flytemp.launching.targets import find_target
from flytemp.literals.types import Json
from flytemp.names import EntityId, check_execution, execution_name, workflow_id
from flytemp.protocol.workflow import CONTENT_MEMO, WORKFLOW_TYPE
from flytemp.records.launch import INLINE_INPUTS_BYTES, LaunchOptions, LaunchRequest
from flytemp.records.models import ExecutionSummary, Phase
from flytemp.records.stored import newest_record
from flytemp.registry import Registry
from flytemp.spec.models import Document
from flytemp.store.object_store import ObjectStore
from flytemp.temporal.connection import connect_temporal
from flytemp.temporal.workflows import describe_workflow, unavailable

P = ParamSpec("P")
R = TypeVar("R")

class Client:
    """A connection to one Temporal namespace and one store.

    Attributes:
        temporal: the Temporal client underneath, for whatever flytemp does not cover.
        settings: where everything is, and why.
    """

    def __init__(self, temporal: TemporalClient, store: ObjectStore, settings: Settings) -> None:
        self.temporal = temporal
        self.store = store
        self.settings = settings
        self.registry = Registry(store)

    @classmethod
    async def connect(cls, settings: Settings | None = None, *, temporal: TemporalClient | None = None) -> Client:
        """Connect as the configuration says (`flytemp config view` shows it), or over a client you already have.

        Raises:
            TemporalUnavailable: no server answers.
            ConfigError: the settings contradict each other.
        """
        chosen = settings or load_settings()
        return cls(temporal or await connect_temporal(chosen), ObjectStore.open(chosen.store), chosen)

    async def close(self) -> None:
        """Nothing is held open: Temporal's client closes with the program. Here for symmetry with `connect`."""

    # ----------------------------------------------------------------------------------- registry

    async def register(self, *paths: str | Path, version: str | None = None, dry_run: bool = False) -> Registration:
        """Compile and register the modules at ``paths`` (files or folders); see `register_program`."""
        return await asyncio.to_thread(
            register_paths,
            self.store,
            [Path(path) for path in paths],
            project=self.settings.project,
            domain=self.settings.domain,
            version=version,
            dry_run=dry_run,
            task_queue=self.settings.task_queue,
        )

    # ------------------------------------------------------------------------------------- launch

    @overload
    async def launch(
        self, target: Workflow[P, R] | Task[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> ExecutionHandle[R]: ...

    @overload
    async def launch(
        self,
        target: LaunchPlan[R] | Workflow[..., R] | Task[..., R],
        /,
        *,
        inputs: Mapping[str, Any] | None = None,
        name: str | None = None,
        version: str | None = None,
        options: LaunchOptions | None = None,
    ) -> ExecutionHandle[R]: ...

    @overload
    async def launch(
        self,
        target: str,
        /,
        *,
        inputs: Mapping[str, Any] | None = None,
        name: str | None = None,
        version: str | None = None,
        options: LaunchOptions | None = None,
    ) -> ExecutionHandle[Any]: ...

    async def launch(self, target: Any, /, *args: Any, **kwargs: Any) -> ExecutionHandle[Any]:
        """Start an execution of a registered workflow, task or launch plan.

        ``launch(my_wf, x=3)`` takes the function's own arguments and is checked by your type checker;
        ``launch("my_wf", inputs={"x": 3}, name="nightly-1")`` takes a name or URN (or the object) and options.

        ``name`` makes it idempotent: the same name with the same content returns the execution that exists.

        Raises:
            NotFound: the target is not registered.
            InputError: an input is unknown, missing or of the wrong type.
            AlreadyExists: the name is taken by an execution of other content.
        """
        call = call_of(target, args, kwargs)
        return await self._launch(call, call.name, call.options)

    def named(self, name: str, *, version: str | None = None, options: LaunchOptions | None = None) -> Launcher:
        """For the typed form with options: ``client.named("nightly-1").launch(my_wf, x=3)``."""
        return Launcher(self, name, version, options or LaunchOptions())

    async def _launch(self, call: Call, name: str | None, options: LaunchOptions) -> ExecutionHandle[Any]:
        settings = self.settings
        entity, document = await asyncio.to_thread(
            find_target,
            self.registry,
            call.target,
            project=settings.project,
            domain=settings.domain,
            version=call.version,
        )
        literals = await asyncio.to_thread(call.literals, document, self.store)
        asked = call.target if call.version is None else f"{call.target}@{call.version}"
        return await self.launch_entity(
            entity, document, literals, name=name, options=options, result=call.result, asked=asked
        )

    async def launch_entity(
        self,
        entity: EntityId,
        document: Document,
        literals: dict[str, Json],
        *,
        name: str | None = None,
        options: LaunchOptions | None = None,
        result: Any = None,
        asked: str | None = None,
    ) -> ExecutionHandle[Any]:
        """Start an execution of a document that was found already; ``literals`` are the caller's inputs as JSON.

        ``asked`` is what the caller named it: the same words under the same name are the same launch, whatever
        version is the latest by then. By default it is the entity with its version.

        Raises:
            InputError, AlreadyExists: as `launch`.
        """
        merged = merge_inputs(document, literals)
        chosen = check_options(options or LaunchOptions())
        generated = name is None
        execution = check_execution(name) if name is not None else generate_name()
        identifier = workflow_id(entity.project, entity.domain, execution)
        request = LaunchRequest(launch_plan=str(entity), inputs=literals, options=chosen)
        content = launch_digest(asked or str(entity), literals, chosen)
        if not generated and await self._is_recorded(identifier, entity, merged):
            return ExecutionHandle(self, identifier, result)
        if len(json.dumps(literals)) > INLINE_INPUTS_BYTES:
            request = request.model_copy(
                update={"inputs": {}, "inputs_uri": await asyncio.to_thread(self._store_inputs, literals)}
            )
        try:
            await self.temporal.start_workflow(
                WORKFLOW_TYPE,
                request.model_dump(mode="json", exclude_defaults=True),
                id=identifier,
                task_queue=self.settings.task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                memo={CONTENT_MEMO: content},
                static_summary=f"{document.name} {entity.version or ''}"[:200],
                task_timeout=timedelta(seconds=10),
            )
        except WorkflowAlreadyStartedError as error:
            if not generated and await self._content_of(identifier) == content:
                return ExecutionHandle(self, identifier, result)
            raise _taken(execution) from error
        except RPCError as error:
            raise unavailable(error) from error
        return ExecutionHandle(self, identifier, result)

    def _store_inputs(self, literals: dict[str, Json]) -> str:
        key = f"uploads/{secrets.token_hex(8)}/inputs.json"
        self.store.write(key, json.dumps(literals).encode())
        return self.store.uri_of(key)

    async def _is_recorded(self, identifier: str, entity: EntityId, inputs: dict[str, Json]) -> bool:
        """Whether Temporal has forgotten an execution of this name, and the store remembers it.

        A record keeps no digest, so what ran and its inputs are compared; the version may be another by now.

        Raises:
            AlreadyExists: it ran something else.
        """
        record = await asyncio.to_thread(newest_record, self.store, self.temporal.namespace, identifier)
        if record is None or await describe_workflow(self.temporal, identifier) is not None:
            return False
        if entity.name in (record.launch_plan, record.workflow) and record.inputs == inputs:
            return True
        raise _taken(execution_name(identifier))

    async def _content_of(self, identifier: str) -> str | None:
        description = await describe_workflow(self.temporal, identifier)
        memo = await description.memo() if description is not None else {}
        content = memo.get(CONTENT_MEMO)
        return content if isinstance(content, str) else None

    # --------------------------------------------------------------------------------- executions

    def execution(self, name: str, *, project: str | None = None, domain: str | None = None) -> ExecutionHandle[Any]:
        """A handle of an execution by its name, its ``ex:`` URN, or any Temporal workflow id with a ":" in it.

        Nothing is asked of Temporal yet; the handle's methods raise NotFound.
        """
        if ":" in name:
            return ExecutionHandle(self, name)
        return ExecutionHandle(
            self, workflow_id(project or self.settings.project, domain or self.settings.domain, name)
        )

    async def find(self, name: str) -> ExecutionHandle[Any]:
        """A handle by any name that `executions` shows, also of runs that other programs started under their own ids.

        An unknown name gives a handle too, whose methods raise NotFound.

        Raises:
            InvalidName: nothing has that id, and no execution could have that name.
        """
        try:
            ours: ExecutionHandle[Any] | None = self.execution(name)
        except InvalidName:  # not a name of ours: then it may be somebody's workflow id
            ours = None
        if ours is not None and await describe_workflow(self.temporal, ours.workflow_id) is not None:
            return ours
        if await describe_workflow(self.temporal, name) is not None:
            return ExecutionHandle(self, name)
        for known in (ours.workflow_id if ours is not None else name, name):
            if (
                await asyncio.to_thread(newest_record, self.store, self.temporal.namespace, known)
                is not None
            ):
                return ExecutionHandle(self, known)
        listed = await listing.find_by_name(self, name)
        return ExecutionHandle(self, listed) if listed is not None else ours or self.execution(name)

    async def executions(
        self, *, limit: int = 50, phase: Phase | None = None, workflow: str | None = None
    ) -> list[ExecutionSummary]:
        """The newest executions of the project and domain, running or not, also those Temporal has forgotten."""
        return await listing.executions(self, limit=limit, phase=phase, workflow=workflow)

    async def waiting_gates(self, *, limit: int = 50) -> list[WaitingGate]:
        """The gates that wait for an answer now, in all running executions of the project and domain.

        An execution tells of its first 20; `ExecutionHandle.gates` has all of one.
        """
        return await gates.waiting_gates(self, limit)


class Launcher:
    """`Client.launch` with a name and options; see `Client.named`."""

    def __init__(self, client: Client, name: str, version: str | None, options: LaunchOptions) -> None:
        self._client = client
        self._name = name
        self._version = version
        self._options = options

    async def launch(
        self, target: Workflow[P, R] | Task[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> ExecutionHandle[R]:
        """As the typed form of `Client.launch`."""
        call = call_of(target, args, dict(kwargs), typed=True)
        call = call.with_version(self._version)
        return await self._client._launch(call, self._name, self._options)


def _taken(name: str) -> AlreadyExists:
    return AlreadyExists(
        f"an execution named {name!r} exists and was launched with other content",
        hint=f"choose another name; flytemp get execution {name} shows the one that exists",
    )

