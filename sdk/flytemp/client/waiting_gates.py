"""Gates that wait for an answer, the types of their answers, and the conversion of answers to literals."""

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
from flytemp.records.launch import project_and_domain
from flytemp.records.models import Execution, NodeExecution, Phase, RecordModel
from flytemp.registry import Registry
from flytemp.spec.graphs import all_nodes
from flytemp.spec.models import GateSpec, WorkflowDocument
from flytemp.store.object_store import ObjectStore
from flytemp.temporal.workflows import memo_field, unavailable

if TYPE_CHECKING:
    from flytemp.client.client import Client

_TYPE: TypeAdapter[LiteralType] = TypeAdapter(LiteralType)
_PLAIN = (type(None), bool, int, str)


class WaitingGate(RecordModel):
    """A gate that waits for an answer.

    Attributes:
        execution: the name of the execution.
        node: the path of the node.
        gate: the name of the gate.
        kind: "approve" for an approval, "input" for a value.
        type: the literal type of the value, for an input.
        since: the time from which it has been waiting.
        project: the project of the execution.
        domain: the domain of the execution.
        workflow_id: the id of the execution's Temporal workflow.
    """

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
    """Return the waiting gates of running executions in the client's project and domain, the newest execution first.

    Raises:
        TemporalUnavailable: Temporal does not answer.
    """
    types = f"WorkflowType IN ('{WORKFLOW_TYPE}', '{CHUNK_WORKFLOW_TYPE}')"
    query = f"{types} AND ExecutionStatus = 'Running'"
    found: list[WaitingGate] = []
    try:
        async for item in client.temporal.list_workflows(query):
            place, memo = _project_and_domain(item), await memo_field(item, WAITING_MEMO)
            found += [gate for gate in _waiting(item, place, memo) if _in_scope(client, gate)]
            if len(found) >= limit:
                break
    except RPCError as error:
        raise unavailable(error) from error
    return found[:limit]


def _in_scope(client: Client, gate: WaitingGate) -> bool:
    return (gate.project, gate.domain) == (client.settings.project, client.settings.domain)


def _project_and_domain(item: WorkflowExecution) -> tuple[str, str]:
    attributes = {pair.key.name: pair.value for pair in item.typed_search_attributes}
    project, domain = project_and_domain(item.id)
    return str(attributes.get(PROJECT) or project), str(attributes.get(DOMAIN) or domain)


def _waiting(item: WorkflowExecution, place: tuple[str, str], memo: Json) -> Iterator[WaitingGate]:
    for entry in memo if isinstance(memo, list) else []:
        if not isinstance(entry, dict):  # any client may start a workflow with any memo
            continue
        # A chunk of a large map is a workflow of its own; its entries name the execution.
        named = entry.get("execution")
        own = named if isinstance(named, str) and named else item.id
        project, domain = place if own == item.id else project_and_domain(own)
        known = {"execution": execution_name(own), "project": project, "domain": domain, "workflow_id": own}
        try:
            yield WaitingGate.model_validate({**entry, **known})
        except ValidationError:
            continue


def gates_of(execution: Execution) -> list[NodeExecution]:
    """Return the gates that are waiting, then those that were answered."""
    gates = [node for node in execution.nodes if node.gate is not None and (is_waiting(node) or node.gate.answer)]
    return sorted(gates, key=lambda node: not is_waiting(node))


def is_waiting(node: NodeExecution) -> bool:
    """Return True if the node is a gate that waits for an answer."""
    return node.gate is not None and node.gate.answer is None and node.phase is Phase.RUNNING


async def gate_type(execution: Execution, gate: str, registry: Registry) -> LiteralType | None:
    """Return the type of the value that an input gate takes, or None if it is not known yet.

    The type of a gate that the execution has not reached is read from the registered program. A gate in the graph of a
    dynamic task is unknown until the task has run.

    Args:
        execution: the present state of the execution.
        gate: the gate's name, or the path of its node.
        registry: the registry of the program.
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
    """Yield every gate in a program's workflows, also those in branches and failure handlers."""
    for workflow in document.workflows.values():
        yield from (node.gate for _, node in all_nodes(workflow) if node.gate is not None)


def answer_literal(value: Any, type_: LiteralType | None, store: ObjectStore) -> Json:
    """Return the literal for an answer to an input gate. Local files are uploaded, which blocks.

    Args:
        value: a Python value or a literal.
        type_: the gate's type, or None if it is not known.
        store: the store for local files.

    Raises:
        TypeMismatch: the value does not have the gate's type.
        NotSupported: the value cannot be converted to a literal.
    """
    uploads = ContentUploads(store)
    literal = _literal(value, uploads)
    return literal if type_ is None else upload_local_files(check_literal(literal, type_), type_, uploads)


def _literal(value: Any, files: FileTransfer) -> Json:
    if type(value) in _PLAIN:  # the exact type: a str enum has its own adapter
        return value
    if type(value) in (list, tuple):
        return [_literal(item, files) for item in value]
    if type(value) is dict and all(type(key) is str for key in value):
        return {key: _literal(item, files) for key, item in value.items()}
    if isinstance(value, PurePath):
        return str(value)
    return to_literal(value, type(value), files)
