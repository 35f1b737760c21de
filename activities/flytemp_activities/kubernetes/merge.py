"""Pod specs laid over each other: what a template says, and what stands above it.

The rule is Flyte's: lists are joined, maps are overlaid, and what names itself (containers, volumes, variables) is merged by
its name. A command is one thing, and is replaced.
"""

from __future__ import annotations

import copy
from typing import Any

Json = dict[str, Any]

_BY_NAME = frozenset({"containers", "initContainers", "volumes", "env", "imagePullSecrets"})
_REPLACED = frozenset({"command", "args"})
_BY_PATH = {"volumeMounts": "mountPath", "ports": "containerPort"}


def overlay(below: Any, above: Any, name: str = "") -> Any:
    """``above`` laid over ``below``; neither is changed. ``name`` is the field that they are the value of."""
    if isinstance(below, dict) and isinstance(above, dict):
        merged = {key: copy.deepcopy(value) for key, value in below.items()}
        for key, value in above.items():
            merged[key] = overlay(merged[key], value, key) if key in merged else copy.deepcopy(value)
        return merged
    if isinstance(below, list) and isinstance(above, list) and name not in _REPLACED:
        key = "name" if name in _BY_NAME else _BY_PATH.get(name)
        return _joined(below, above) if key is None else _by(key, below, above)
    return copy.deepcopy(above)


def _joined(below: list[Any], above: list[Any]) -> list[Any]:
    """One after the other; an item that both have stands once."""
    return copy.deepcopy([*below, *(item for item in above if item not in below)])


def _by(key: str, below: list[Json], above: list[Json]) -> list[Json]:
    merged = [copy.deepcopy(item) for item in below]
    places = {item.get(key): number for number, item in enumerate(merged)}
    for item in above:
        if item.get(key) in places:
            number = places[item.get(key)]
            merged[number] = _same_name(merged[number], item)
        else:
            merged.append(copy.deepcopy(item))
    return merged


def _same_name(below: Json, above: Json) -> Json:
    """Two things of one name (or path). A variable has one value: either a text or a source of it."""
    if ("value" in above or "valueFrom" in above) and set(below) | set(above) <= {"name", "value", "valueFrom"}:
        return copy.deepcopy(above)
    merged: Json = overlay(below, above)
    return merged


def with_defaults(spec: Json, primary: str) -> Json:
    """A template's containers named ``default`` (for every container) and ``primary`` (for the task's) merged away.

    The container named ``primary`` is added when the template has none.
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
            base = overlay(base, own)
        merged.append({**overlay(base, item), "name": item["name"]})
    return {**spec, "containers": merged}
