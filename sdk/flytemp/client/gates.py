"""Gates: which wait, over all executions; of what type an answer must be; and a Python value as an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal

from pydantic import TypeAdapter, ValidationError
from temporalio.client import WorkflowExecution
from temporalio.service import RPCError

from flytemp.client.uploads import ContentUploads
from flytemp.errors import NotFound
from flytemp.literals.check import check_literal
from flytemp.literals.convert import to_literal
from flytemp.literals.transfer import FileTransfer
from flytemp.literals.types import Json, LiteralType
from flytemp.literals.uploads import upload_local_files
from flytemp.names import EntityId, EntityKind, execution_name
from flytemp.protocol.search_attributes import DOMAIN, PROJECT
from flytemp.protocol.workflow import CHUNK_WORKFLOW_TYPE, WAITING_MEMO, WORKFLOW_TYPE
from flytemp.records.launch import place_of
from flytemp.records.models import Execution, NodeExecution, Phase, RecordModel
from flytemp.registry import Registry
from flytemp.spec.models import GateSpec, NodeSpec, WorkflowDocument
from flytemp.store.object_store import ObjectStore
from flytemp.temporal.workflows import unavailable

if TYPE_CHECKING:
    from flytemp.client.client import Client

"""The memo in which a running execution says which of its gates wait."""

_TYPE: TypeAdapter[LiteralType] = TypeAdapter(LiteralType)
_PLAIN = (type(None), bool, int, str)


class WaitingGate(RecordModel):
    """A gate that waits: of which execution, at which node, since when, and, for an input, for a value of which type."""

    execution: str
    node: str
    gate: str
    kind: Literal["approve", "input"]
    type: Json = None
    since: datetime | None = None
    project: str = ""
    domain: str = ""
    workflow_id: str = ""


async def waiting_gates(client: Client, limit: int) -> list[WaitingGate]:
    """Those of the running executions of the client's project and domain, the newest execution first."""
    types = f"WorkflowType IN ('{WORKFLOW_TYPE}', '{CHUNK_WORKFLOW_TYPE}')"
    query = f"{types} AND ExecutionStatus = 'Running'"
    found: list[WaitingGate] = []
    try:
        async for item in client.temporal.list_workflows(query):
            place, memo = _place(item), (await item.memo()).get(WAITING_MEMO)
            found += [gate for gate in _waiting(item, place, memo) if _is_of(client, gate)]
            if len(found) >= limit:
                break
    except RPCError as error:
        raise unavailable(error) from error
    return found[:limit]


def _is_of(client: Client, gate: WaitingGate) -> bool:
    return (gate.project, gate.domain) == (client.settings.project, client.settings.domain)


def _place(item: WorkflowExecution) -> tuple[str, str]:
    attributes = {pair.key.name: pair.value for pair in item.typed_search_attributes}
    project, domain = place_of(item.id)
    return str(attributes.get(PROJECT) or project), str(attributes.get(DOMAIN) or domain)


def _waiting(item: WorkflowExecution, place: tuple[str, str], memo: Json) -> Iterator[WaitingGate]:
    for entry in memo if isinstance(memo, list) else []:
        if not isinstance(entry, dict):  # anyone may start a workflow with any memo
            continue
        # A part of a large map is a workflow of its own, and says whose.
        own = entry.get("execution") or item.id
        project, domain = place if own == item.id else place_of(own)
        known = {"execution": execution_name(own), "project": project, "domain": domain, "workflow_id": own}
        try:
            yield WaitingGate.model_validate({**entry, **known})
        except ValidationError:
            continue


def gates_of(execution: Execution) -> list[NodeExecution]:
    """The gates that wait or were answered, those that wait first."""
    gates = [node for node in execution.nodes if node.gate is not None and (is_waiting(node) or node.gate.answer)]
    return sorted(gates, key=lambda node: not is_waiting(node))


def is_waiting(node: NodeExecution) -> bool:
    return node.gate is not None and node.gate.answer is None and node.phase is Phase.RUNNING


async def gate_type(execution: Execution, gate: str, registry: Registry) -> LiteralType | None:
    """The type of an input gate, by its name or its node's path; None where it is not known (yet).

    The run may not have reached the gate: then the registered program says its type. A gate that a dynamic task will
    make is not there either.
    """
    for node in execution.nodes:
        if node.gate is not None and node.gate.kind == "input" and gate in (node.id, node.gate.name):
            return None if node.gate.type is None else _TYPE.validate_python(node.gate.type)
    if execution.workflow is None or execution.version is None:
        return None
    entity = EntityId(EntityKind.WORKFLOW, execution.project, execution.domain, execution.workflow, execution.version)
    try:
        _, document = await asyncio.to_thread(registry.get, entity)
    except NotFound:
        return None
    assert isinstance(document, WorkflowDocument)
    types = [spec.type for spec in declared_gates(document) if spec.name == gate and spec.kind == "input"]
    return types[0] if types and all(type_ == types[0] for type_ in types) else None


def declared_gates(document: WorkflowDocument) -> Iterator[GateSpec]:
    """The gates of a program, wherever they are; each as often as it is written."""
    for workflow in document.workflows.values():
        handler = [workflow.on_failure] if workflow.on_failure is not None else []
        for node in (*workflow.nodes, *handler):
            yield from _gates_at(node)


def _gates_at(node: NodeSpec) -> Iterator[GateSpec]:
    if node.gate is not None:
        yield node.gate
    for case in node.branch.cases if node.branch is not None else ():
        if case.node is not None:
            yield from _gates_at(case.node)


def answer_literal(value: Any, type_: LiteralType | None, store: ObjectStore) -> Json:
    """A Python value, or a literal, as the literal that answers a gate. Blocks on the store.

    Raises:
        TypeMismatch: it is not of the gate's type, where that is known.
        NotSupported: it is nothing that flytemp can write as JSON.
    """
    uploads = ContentUploads(store)
    literal = _literal(value, uploads)
    return literal if type_ is None else upload_local_files(check_literal(literal, type_), type_, uploads)


def _literal(value: Any, files: FileTransfer) -> Json:
    if type(value) in _PLAIN:  # exactly: an enum of texts is a text, too, and written by its own adapter
        return value
    if type(value) in (list, tuple):
        return [_literal(item, files) for item in value]
    if type(value) is dict and all(type(key) is str for key in value):
        return {key: _literal(item, files) for key, item in value.items()}
    if isinstance(value, PurePath):
        return str(value)
    return to_literal(value, type(value), files)
