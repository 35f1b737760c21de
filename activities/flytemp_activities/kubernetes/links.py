"""Links to the output of a task in other log systems, from the operator's URL templates."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from flytemp.runtime.invocation import Invocation

FIELDS = (
    "namespace", "pod", "uid", "container", "container_id", "node", "host", "execution", "project", "domain", "attempt",
    "started",
)  # fmt: skip
"""Names that a template may have in braces. ``node`` is flytemp's, ``host`` is Kubernetes'; ``started`` is RFC 3339, in UTC."""


def check_template(text: str) -> str:
    """Return ``text`` if it is a valid template.

    Raises:
        ValueError: it has an unknown name in braces.
    """
    unknown = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None and name not in FIELDS]
    if unknown:
        raise ValueError(f"{{{unknown[0]}}} is not a field of log links; the fields are {', '.join(FIELDS)}")
    return text


def log_links_of(templates: Mapping[str, str], pod: Mapping[str, Any], primary: str, invocation: Invocation) -> dict[str, str]:
    """Return the URLs for one try, by the names of their templates. Values are quoted for a URL."""
    status = pod.get("status") or {}
    own: Mapping[str, Any] = next((c for c in status.get("containerStatuses") or () if c["name"] == primary), {})
    state = own.get("state") or {}
    values = {
        "namespace": pod["metadata"]["namespace"],
        "pod": pod["metadata"]["name"],
        "uid": pod["metadata"]["uid"],
        "container": primary,
        "container_id": str(own.get("containerID") or "").rpartition("/")[2],
        "node": invocation.node,
        "host": (pod.get("spec") or {}).get("nodeName") or "",
        "execution": invocation.execution,
        "project": invocation.project,
        "domain": invocation.domain,
        "attempt": str(invocation.attempt),
        "started": str((state.get("running") or state.get("terminated") or {}).get("startedAt") or ""),
    }
    quoted = {name: quote(value, safe="") for name, value in values.items()}
    return {name: text.format_map(quoted) for name, text in templates.items()}
