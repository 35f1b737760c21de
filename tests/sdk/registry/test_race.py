"""Processes that register the same version at once, on the local file system."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flytemp.names import EntityId, EntityKind
from flytemp.registry import Registry
from flytemp.spec.models import TaskDocument
from flytemp.store import open_store

PROGRAM = Path(__file__).with_name("race_registration.py")
ROUNDS = 60

SAME = [["a", "m:a"], ["b", "m:b"], ["c", "m:c"]]


def _race(store: Path, *contents: Any, rounds: int = ROUNDS) -> list[list[str]]:
    arguments = [str(store), str(rounds), json.dumps(contents)]
    done = subprocess.run([sys.executable, str(PROGRAM), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _registered(store: Path, version: str) -> dict[str, str]:
    """The documents under a version: name to loader."""
    opened = open_store(str(store))
    registry = Registry(opened)
    found: dict[str, str] = {}
    for name in opened.list("registry/p/d/tasks"):
        if f"{version}.json" in opened.list(f"registry/p/d/tasks/{name}/versions"):
            entity = EntityId(EntityKind.TASK, "p", "d", name, version)
            document = registry.get(entity)[1]
            assert isinstance(document, TaskDocument)
            assert version in registry.versions(entity)
            found[name] = document.task.loader
    return found


def test_same_content_is_registered_by_both(tmp_path: Path) -> None:
    for round_, met in enumerate(_race(tmp_path, SAME, SAME)):
        statuses = [result.split(",") for result in met]
        assert all(sorted(pair) == ["new", "unchanged"] for pair in zip(*statuses, strict=True))
        assert _registered(tmp_path, f"v{round_}") == dict(SAME)
    opened = open_store(str(tmp_path))
    assert [len(opened.list(f"registry/p/d/tasks/{name}/latest")) for name in "abc"] == [ROUNDS] * 3


@pytest.mark.long
def test_one_of_twelve_registrations_at_once_succeeds(tmp_path: Path) -> None:
    contents = [[["a", f"m:{number}"], ["b", f"m:{number}"]] for number in range(12)]
    for round_, met in enumerate(_race(tmp_path, *contents, rounds=3)):
        won = [number for number, result in enumerate(met) if not result.startswith("refused")]
        assert len(won) == 1, met
        assert _registered(tmp_path, f"v{round_}") == dict(contents[won[0]])


@pytest.mark.parametrize(
    "programs",
    [
        pytest.param([[["a", "m:1"], ["b", "m:1"]], [["a", "m:2"], ["b", "m:2"]]], id="all differ"),
        pytest.param([[["a", "m"], ["b", "m"], ["c", "m:1"]], [["a", "m"], ["b", "m"], ["c", "m:2"]]], id="last differs"),
        pytest.param([[["a", "m:1"], ["b", "m"], ["c", "m"]], [["a", "m:2"], ["b", "m"], ["c", "m"]]], id="first differs"),
        pytest.param([[["a", "m"], ["c", "m:1"]], [["b", "m"], ["c", "m:2"]]], id="each has its own"),
        pytest.param([[["a", "m"], ["b", "m:1"]], [["a", "m"], ["b", "m:2"]], [["a", "m"], ["b", "m:3"]]], id="three processes"),
    ],
)
def test_exactly_one_of_different_contents_is_registered(tmp_path: Path, programs: list[list[list[str]]]) -> None:
    for round_, met in enumerate(_race(tmp_path, *programs)):
        won = [number for number, result in enumerate(met) if not result.startswith("refused")]
        assert len(won) == 1, met
        assert all("with different structure already exists" in met[n] for n in range(len(met)) if n not in won)
        assert _registered(tmp_path, f"v{round_}") == dict(programs[won[0]])
