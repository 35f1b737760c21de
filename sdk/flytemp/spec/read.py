"""Reader of stored documents."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from flytemp.errors import CorruptData
from flytemp.json_text import read_json
from flytemp.spec.graphs import all_nodes
from flytemp.spec.integrity import name_problems
from flytemp.spec.models import SCHEMA_VERSION, Document, LaunchPlanDocument, TaskDocument, WorkflowDocument
from flytemp.spec.node_forms import form_of

if TYPE_CHECKING:
    from flytemp.spec.canonical import AnyDocument

_SHOWN_PROBLEMS = 3


def read_document(data: bytes, where: str) -> AnyDocument:
    """Return the document in ``data``, which is JSON; ``where`` is its URI or file, for messages.

    The types of all fields are checked, and that the document has every task, sub-workflow and launch plan that it calls.

    Raises:
        CorruptData: if ``data`` is not a complete document of a schema version that this flytemp supports.
    """
    try:
        value = read_json(data)
    except ValueError as error:
        raise _corrupt(where, f"it is not JSON ({error})") from error
    version = value.get("schema_version") if isinstance(value, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise CorruptData(
            f"{where} has schema version {version}; this flytemp reads up to {SCHEMA_VERSION}",
            hint="a newer flytemp wrote it: upgrade this one",
        )
    try:
        document = _adapter().validate_python(value)
    except ValidationError as error:
        raise _corrupt(where, _reasons(error)) from error
    wrong = _missing_reference(document)
    if wrong is not None:
        raise _corrupt(where, wrong)
    return document


@functools.cache
def _adapter() -> TypeAdapter[AnyDocument]:
    return TypeAdapter(Document)


def _reasons(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    shown = [f"{_path(problem['loc'])}: {problem['msg']}" for problem in problems[:_SHOWN_PROBLEMS]]
    more = f"; and {len(problems) - _SHOWN_PROBLEMS} more" if len(problems) > _SHOWN_PROBLEMS else ""
    return "; ".join(shown) + more


def _path(location: tuple[int | str, ...]) -> str:
    return "/" + "/".join(str(part) for part in location)


def _missing_reference(document: AnyDocument) -> str | None:
    if isinstance(document, TaskDocument | LaunchPlanDocument):
        return None
    return _missing_in_workflow(document)


def _missing_in_workflow(document: WorkflowDocument) -> str | None:
    if document.name not in document.workflows:
        return f"it lacks its own workflow {document.name!r}"
    for problem in name_problems(document):
        return problem.message
    for name, workflow in document.workflows.items():
        for local, node in all_nodes(workflow):
            if form_of(node).interface(node, document) is None:
                return form_of(node).lacking(node).within(f"the node {local!r} of {name!r} ").message
    return None


def _corrupt(where: str, reason: str) -> CorruptData:
    return CorruptData(
        f"{where} is not a valid document: {reason}",
        hint="it was changed or damaged after it was registered: restore it, or register the program as a new version",
    )
