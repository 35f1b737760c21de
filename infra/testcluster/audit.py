"""Reader of the API server's audit log."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def entries(log: Path) -> Iterator[dict[str, Any]]:
    """Yield the complete lines of an audit log."""
    with log.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield json.loads(line)


def count(log: Path, since: datetime, user_agent_prefix: str) -> Counter[str]:
    """Count requests by `verb resource`, for example `create pods`, `patch pods/status`, `watch pods`.

    Counts what the server received at or after `since`, from clients whose user agent begins as said. A watch counts once,
    when it begins.
    """
    seen: set[str] = set()
    counted: Counter[str] = Counter()
    for entry in entries(log):
        if not entry.get("userAgent", "").startswith(user_agent_prefix) or entry["auditID"] in seen:
            continue
        if datetime.fromisoformat(entry["requestReceivedTimestamp"]).astimezone(UTC) < since.astimezone(UTC):
            continue
        seen.add(entry["auditID"])
        counted[_name(entry)] += 1
    return counted


def _name(entry: dict[str, Any]) -> str:
    place = entry.get("objectRef")
    if place is None:
        return f"{entry['verb']} {entry['requestURI'].partition('?')[0]}"
    resource = "/".join(part for part in (place.get("resource"), place.get("subresource")) if part)
    return f"{entry['verb']} {resource}"
