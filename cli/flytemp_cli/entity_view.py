"""View of a registered entity: documentation, interface and content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flytemp_cli.formatting import json_text, variable_text
from flytemp_cli.output import pairs
from flytemp_cli.style import Style, one_line

if TYPE_CHECKING:
    from flytemp.names import EntityId
    from flytemp.spec.models import Docs, Document, Interface


def docs_of(document: Document) -> Docs:
    match document.kind:
        case "task":
            return document.task.docs
        case "workflow":
            return document.root.docs
        case "launch_plan":
            return document.launch_plan.docs


def docs_text(document: Document) -> str:
    """Return the documentation of an entity as one text."""
    docs = docs_of(document)
    return "\n\n".join(part for part in (docs.short.strip(), docs.long.strip()) if part)


def entity_view(entity: EntityId, document: Document, versions: list[str], style: Style) -> list[str]:
    """Return the lines of a registered entity: identity, interface and content."""
    from flytemp.launching.inputs import launch_interface

    bundle = getattr(document, "bundle", None)
    lines = pairs(
        [
            (entity.kind.noun.capitalize(), style.bold(entity.name)),
            ("Version", entity.version or ""),
            ("Versions", ", ".join(versions[:10]) + (f" and {len(versions) - 10} more" if len(versions) > 10 else "")),
            ("URN", str(entity)),
            ("Docs", one_line(docs_of(document).short)),
            ("Code bundle", f"{bundle.digest[:12]} ({bundle.size} bytes)" if bundle is not None else ""),
        ],
        style,
    )
    lines += _interface_lines(launch_interface(document), style)
    return [*lines, *_content_lines(document, style)]


def _interface_lines(interface: Interface, style: Style) -> list[str]:
    lines: list[str] = []
    for title, variables in (("Inputs", interface.inputs), ("Outputs", interface.outputs)):
        if variables:
            rows = [(variable_text(variable), one_line(variable.description)) for variable in variables]
            lines += ["", style.bold(title)]
            lines += [f"  {text}{style.dim(f'  {docs}') if docs else ''}" for text, docs in rows]
    return lines


def _content_lines(document: Document, style: Style) -> list[str]:
    match document.kind:
        case "workflow":
            from flytemp.spec.node_forms import form_of

            rows = [(node.id, f"{form_of(node).detail(node)}  {style.dim(node.kind)}".strip()) for node in document.root.nodes]
            return ["", style.bold("Nodes"), *(f"  {line}" for line in pairs(rows, style))] if rows else []
        case "launch_plan":
            plan = document.launch_plan
            fixed = [(name, json_text(value)) for name, value in plan.fixed_inputs.items()]
            lines = ["", *pairs([("Workflow", plan.workflow)], style)]
            return [*lines, "", style.bold("Fixed inputs"), *(f"  {line}" for line in pairs(fixed, style))] if fixed else lines
        case "task":
            settings = document.task.settings
            return ["", *pairs([("Loads", document.task.loader), ("Retries", str(settings.retries.count))], style)]
