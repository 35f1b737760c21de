"""Strategic merge of pod specs, with Flyte's rules.

Lists are concatenated, maps are merged by key, and items with a name (containers, volumes, variables) are merged by that name. A
command is replaced as a whole.
"""

from __future__ import annotations

import copy
from typing import Any

Json = dict[str, Any]

_BY_NAME = frozenset({"containers", "initContainers", "volumes", "env", "imagePullSecrets"})
_REPLACED = frozenset({"command", "args"})
_BY_PATH = {"volumeMounts": "mountPath", "ports": "containerPort"}


def strategic_merge(below: Any, above: Any, name: str = "") -> Any:
    """Return ``above`` merged into ``below``; both stay unchanged. ``name`` is the field whose values they are."""
    if isinstance(below, dict) and isinstance(above, dict):
        merged = {key: copy.deepcopy(value) for key, value in below.items()}
        for key, value in above.items():
            merged[key] = strategic_merge(merged[key], value, key) if key in merged else copy.deepcopy(value)
        return merged
    if isinstance(below, list) and isinstance(above, list) and name not in _REPLACED:
        key = "name" if name in _BY_NAME else _BY_PATH.get(name)
        return _concatenated(below, above) if key is None else _merged_by(key, below, above)
    return copy.deepcopy(above)


def _concatenated(below: list[Any], above: list[Any]) -> list[Any]:
    """Return both lists in one; an item that both have occurs once."""
    return copy.deepcopy([*below, *(item for item in above if item not in below)])


def _merged_by(key: str, below: list[Json], above: list[Json]) -> list[Json]:
    merged = [copy.deepcopy(item) for item in below]
    overrides = {item.get(key): number for number, item in enumerate(merged)}
    for item in above:
        if item.get(key) in overrides:
            number = overrides[item.get(key)]
            merged[number] = _same_name(merged[number], item)
        else:
            merged.append(copy.deepcopy(item))
    return merged


def _same_name(below: Json, above: Json) -> Json:
    """Return two items of one name (or path) merged. A variable has either a value or a source of its value."""
    if ("value" in above or "valueFrom" in above) and set(below) | set(above) <= {"name", "value", "valueFrom"}:
        return copy.deepcopy(above)
    merged: Json = strategic_merge(below, above)
    return merged


def with_defaults(spec: Json, primary: str) -> Json:
    """Return the template with its container ``default`` merged into every container, and ``primary`` into the task's.

    The task's container is added if the template does not have it.
    """
    containers = [copy.deepcopy(item) for item in spec.get("containers") or ()]
    every = next((item for item in containers if item.get("name") == "default"), None)
    own = next((item for item in containers if item.get("name") == "primary"), None) if primary != "primary" else None
    rest = [item for item in containers if item is not every and item is not own]
    if not any(item.get("name") == primary for item in rest):
        rest.insert(0, {"name": primary})
    merged: list[Json] = []
    for item in rest:
        base: Json = {} if every is None else every
        if own is not None and item["name"] == primary:
            base = strategic_merge(base, own)
        merged.append({**strategic_merge(base, item), "name": item["name"]})
    return {**spec, "containers": merged}
