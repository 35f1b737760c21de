"""Asynchronous client: register programs, launch and find executions. `flytemp.client.sync` is its synchronous form."""

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
from flytemp.client import listing, waiting_gates
from flytemp.client.handle import ExecutionHandle
from flytemp.client.launch_arguments import Call, call_of
from flytemp.client.registration import RegistrationResult, register_paths
from flytemp.client.waiting_gates import WaitingGate
from flytemp.compiler.discover import refuse_during_import
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
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
from flytemp.temporal.connection import connect_temporal
from flytemp.temporal.workflows import describe_workflow, memo_field, unavailable

P = ParamSpec("P")
R = TypeVar("R")

class Client:
    """Client of one Temporal namespace and one store.

    Attributes:
        temporal: the Temporal client, for everything that flytemp does not cover.
        store: the store of registered programs, inputs and outputs.
        settings: the addresses of both, and the defaults of launches.
        registry: the registered tasks, workflows and launch plans.
    """

    def __init__(self, temporal: TemporalClient, store: ObjectStore, settings: Settings) -> None:
        self.temporal = temporal
        self.store = store
        self.settings = settings
        self.registry = Registry(store)

    @classmethod
    async def connect(cls, settings: Settings | None = None, *, temporal: TemporalClient | None = None) -> Client:
        """Return a connected client.

        Args:
            settings: the settings; None reads the configuration, which `flytemp config view` shows.
            temporal: a connected Temporal client to use instead of a new connection.

        Raises:
            TemporalUnavailable: no Temporal server answers.
            ConfigError: the settings are invalid or contradict each other.
        """
        chosen = settings or load_settings()
        return cls(temporal or await connect_temporal(chosen), open_store(chosen.store), chosen)

    async def close(self) -> None:
        """Do nothing. Temporal's client holds no resource that must be closed; the method completes `connect`."""

    # ----------------------------------------------------------------------------------- registry

    async def register(self, *paths: str | Path, version: str | None = None, dry_run: bool = False) -> RegistrationResult:
        """Compile the modules and spec files at ``paths`` and register all their entities or none.

        Args:
            *paths: files or folders.
            version: the version of the entities; by default a hash of their content.
            dry_run: compile and compare with the registry, but store nothing.

        Returns:
            The version, the bundle and the registered entities.

        Raises:
            ProgramError: the program does not compile, or a task exceeds the platform's limits.
            AlreadyExists: the version exists with other content.
            StoreError: the store failed.
        """
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

        ``launch(my_wf, x=3)`` takes the arguments of the function, and type checkers check them.
        ``launch("my_wf", inputs={"x": 3}, name="nightly-1")`` takes a name or URN (or the object), and these options:

        Args:
            target: the object, its registered name, or its URN.
            inputs: the inputs by name.
            name: the name of the execution. A second launch with the same name and content returns the existing execution.
                By default the name is random.
            version: the version of the target; the latest if None.
            options: the options of the execution.

        Returns:
            A handle of the execution, which may still be waiting for a worker.

        Raises:
            NotFound: the target is not registered.
            InputError: an input is unknown, missing or of the wrong type, or an option is invalid.
            AlreadyExists: an execution with this name and other content exists.
            TemporalUnavailable: Temporal does not answer.
        """
        call = call_of(target, args, kwargs)
        return await self._launch(call, call.name, call.options)

    def named(self, name: str, *, version: str | None = None, options: LaunchOptions | None = None) -> Launcher:
        """Return a launcher for the typed form with options: ``client.named("nightly-1").launch(my_wf, x=3)``.

        Args:
            name: the name of the execution.
            version: the version of the target; the latest if None.
            options: the options of the execution.
        """
        return Launcher(self, name, version, options or LaunchOptions())

    async def _launch(self, call: Call, name: str | None, options: LaunchOptions) -> ExecutionHandle[Any]:
        refuse_during_import()
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
        requested = call.target if call.version is None else f"{call.target}@{call.version}"
        return await self.launch_entity(
            entity, document, literals, name=name, options=options, result=call.result, requested=requested
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
        requested: str | None = None,
    ) -> ExecutionHandle[Any]:
        """Start an execution of an entity whose document was read before.

        Args:
            entity: the id of the entity, with its version.
            document: the document of the entity.
            literals: the caller's inputs as JSON.
            name: the name of the execution; random if None.
            options: the options of the execution.
            result: converts outputs to the result of `ExecutionHandle.result`.
            requested: the target as the caller named it, by default ``entity``. A repeated launch under the same name
                with the same text is the same launch, even if the latest version has changed.

        Raises:
            InputError, AlreadyExists, TemporalUnavailable: as for `launch`.
        """
        merged = merge_inputs(document, literals)
        chosen = check_options(options or LaunchOptions())
        generated = name is None
        execution = check_execution(name) if name is not None else generate_name()
        identifier = workflow_id(entity.project, entity.domain, execution)
        request = LaunchRequest(launch_plan=str(entity), inputs=literals, options=chosen)
        content = launch_digest(requested or str(entity), literals, chosen)
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
        """Return True if Temporal no longer keeps the execution, and its record shows the same launch.

        A record has no digest, so the entity and the inputs are compared. The versions may differ.

        Raises:
            AlreadyExists: the record is that of another launch.
        """
        record = await asyncio.to_thread(newest_record, self.store, self.temporal.namespace, identifier)
        if record is None or await describe_workflow(self.temporal, identifier) is not None:
            return False
        if entity.name in (record.launch_plan, record.workflow) and record.inputs == inputs:
            return True
        raise _taken(execution_name(identifier))

    async def _content_of(self, identifier: str) -> str | None:
        description = await describe_workflow(self.temporal, identifier)
        content = await memo_field(description, CONTENT_MEMO) if description is not None else None
        return content if isinstance(content, str) else None

    # --------------------------------------------------------------------------------- executions

    def execution(self, name: str, *, project: str | None = None, domain: str | None = None) -> ExecutionHandle[Any]:
        """Return a handle of an execution, without checking that it exists.

        Args:
            name: the execution's name, its ``ex:`` URN, or any Temporal workflow id that contains ":".
            project: the execution's project; by default that of the settings.
            domain: the execution's domain; by default that of the settings.

        Raises:
            InvalidName: ``name`` cannot be the name of an execution.
        """
        if ":" in name:
            return ExecutionHandle(self, name)
        return ExecutionHandle(
            self, workflow_id(project or self.settings.project, domain or self.settings.domain, name)
        )

    async def find(self, name: str) -> ExecutionHandle[Any]:
        """Return a handle of the execution with a name that `executions` shows.

        Unlike `execution`, this method also finds executions that other programs started under workflow ids of their own. The
        methods of a handle of an unknown execution raise NotFound.

        Args:
            name: the execution's name or workflow id.

        Raises:
            InvalidName: no execution has this workflow id, and ``name`` cannot be the name of an execution.
            TemporalUnavailable: Temporal does not answer.
        """
        try:
            ours: ExecutionHandle[Any] | None = self.execution(name)
        except InvalidName:  # it may still be a workflow id that another program chose
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
        """Return the newest executions of the project and domain, including those that Temporal no longer keeps.

        Args:
            limit: the maximum number of executions.
            phase: return only executions in this phase.
            workflow: return only executions of the workflow with this name, or this last part of its name.

        Raises:
            TemporalUnavailable: Temporal does not answer.
        """
        return await listing.executions(self, limit=limit, phase=phase, workflow=workflow)

    async def waiting_gates(self, *, limit: int = 50) -> list[WaitingGate]:
        """Return the gates that wait for an answer, in all running executions of the project and domain.

        At most 20 gates of each execution are listed; `ExecutionHandle.gates` returns all gates of one execution.

        Args:
            limit: the maximum number of gates.

        Raises:
            TemporalUnavailable: Temporal does not answer.
        """
        return await waiting_gates.waiting_gates(self, limit)


class Launcher:
    """Form of `Client.launch` with a name and options; see `Client.named`."""

    def __init__(self, client: Client, name: str, version: str | None, options: LaunchOptions) -> None:
        self._client = client
        self._name = name
        self._version = version
        self._options = options

    async def launch(
        self, target: Workflow[P, R] | Task[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> ExecutionHandle[R]:
        """Start an execution like the typed form of `Client.launch`."""
        call = call_of(target, args, dict(kwargs), typed=True)
        call = call.with_version(self._version)
        return await self._client._launch(call, self._name, self._options)


def _taken(name: str) -> AlreadyExists:
    return AlreadyExists(
        f"execution {name!r} exists and was launched with another target, inputs or options",
        hint=f"choose another name; flytemp get execution {name} shows the existing execution",
    )

