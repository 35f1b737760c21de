"""A program of one project that calls what another project has registered, run on Temporal and in one process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import Done, environment, flytemp
from tests.installation import Installation

pytestmark = pytest.mark.e2e

# Both programs have a module `common`: each must get its own.
LIBRARY = {
    "common.py": 'OWNER = "the library"\n',
    "lib.py": """
from typing import NamedTuple

import common
from flytemp import LaunchPlan, dynamic, map_task, task, workflow


class Found(NamedTuple):
    number: int
    owner: str


@task
def clean(rows: list[str], limit: int = 3) -> list[str]:
    return [row.strip() for row in rows][:limit]


@task
def count(rows: list[str]) -> int:
    return len(rows)


@task
def square(x: int) -> int:
    return x * x


@task
def owner() -> str:
    return common.OWNER


@dynamic
def squares(n: int) -> list[int]:
    return [square(x=x) for x in range(n)]


@workflow
def inner(rows: list[str]) -> int:
    return count(rows=rows)


@workflow
def whole(rows: list[str]) -> Found:
    map_task(square)(x=[1, 2])
    LaunchPlan.get_or_create(inner, "inner.none", fixed_inputs={"rows": []})()
    return Found(inner(rows=clean(rows=rows)), owner())


@task
def alarm(rows: list[str], text: str = "alarm") -> None:
    print(f"{text} by {common.OWNER}: {rows}")


nightly = LaunchPlan.get_or_create(inner, "nightly (EU)", default_inputs={"rows": ["x", "y"]})
""",
}
USER = {
    "common.py": 'OWNER = "the user"\n',
    "user.py": """
from typing import NamedTuple

import common
from flytemp import (
    conditional,
    dynamic,
    map_task,
    reference_launch_plan,
    reference_task,
    reference_workflow,
    task,
    workflow,
)

AT = {"project": "shared", "domain": "production"}


class Found(NamedTuple):
    number: int
    owner: str


class All(NamedTuple):
    cleaned: list[str]
    found: int
    owners: list[str]
    squares: list[int]
    nightly: list[int]
    chosen: int
    made: int


@reference_task(name="lib.clean", version="v1", **AT)
def clean(rows: list[str], limit: int = 3) -> list[str]: ...


@reference_task(name="lib.count", **AT)
def count(rows: list[str]) -> int: ...


@reference_task(name="lib.squares", **AT)
def squares(n: int) -> list[int]: ...


@reference_workflow(name="lib.whole", **AT)
def whole(rows: list[str]) -> Found: ...


@reference_launch_plan(name="nightly (EU)", version="v1", **AT)
def nightly(rows: list[str]) -> int: ...


@reference_launch_plan(name="nightly (EU)", **AT)
def latest(rows: list[str] = []) -> int: ...


@reference_task(name="lib.alarm", **AT)
def alarm(rows: list[str]) -> None: ...


@task
def owner() -> str:
    return common.OWNER


@task
def together(first: str, second: str) -> list[str]:
    return [first, second]


@task
def fail(rows: list[str]) -> int:
    raise ValueError("it fails")


@dynamic
def launches(n: int) -> int:
    return latest(rows=["r"] * n)


@workflow
def uses(rows: list[str]) -> All:
    cleaned = clean(rows=rows)
    found = whole(rows=cleaned)
    return All(
        cleaned,
        found.number,
        together(first=owner(), second=found.owner),
        squares(n=4),
        map_task(nightly)(rows=[cleaned, ["only"]]),
        conditional("many").if_(found.number > 2).then(count(rows=cleaned)).else_().then(latest(rows=["a"])),
        launches(n=4),
    )


@workflow(on_failure=alarm)
def fails(rows: list[str]) -> int:
    return fail(rows=clean(rows=rows))
""",
}
ROWS = ["--rows", '[" a", "b ", "c", "d"]']
OUTPUTS = {
    "cleaned": ["a", "b", "c"],
    "found": 3,
    "owners": ["the user", "the library"],
    "squares": [0, 1, 4, 9],
    "nightly": [3, 1],
    "chosen": 3,
    "made": 4,
}


def write(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def execution_of(done: Done) -> dict[str, Any]:
    assert done.out, done.err
    return dict(json.loads(done.out))


@pytest.fixture(scope="module")
def user(installation: Installation) -> Iterator[Path]:
    """Register the library in another project and return the folder of the program that uses it."""
    with environment(installation.environment(), installation.folder):
        library = write(installation.folder / "library", LIBRARY)
        done = flytemp("register", library, "--project", "shared", "--domain", "production", "--version", "v1")
        assert done.code == 0, done.err
        yield write(installation.folder / "user", USER) / "user.py"


@pytest.mark.parametrize("way", [(), ("--local",)], ids=["run", "local"])
def test_references_give_the_results_of_their_targets(user: Path, way: tuple[str, ...]) -> None:
    done = flytemp("run", user, "uses", *ROWS, *way, "--project", "mine", "-o", "json")
    execution = execution_of(done)
    assert execution["error"] is None
    assert (done.code, execution["project"], execution["outputs"]) == (0, "mine", OUTPUTS)
    targets = {node["target"].rpartition("shared:production:")[2] for node in execution["nodes"]}
    assert {"lib.clean:v1", "lib.count:v1", "lib.squares:v1", "lib.whole:v1", "nightly (EU):v1"} <= targets


@pytest.mark.parametrize("way", [(), ("--local",)], ids=["run", "local"])
def test_a_reference_can_handle_a_failure(user: Path, way: tuple[str, ...]) -> None:
    done = flytemp("run", user, "fails", *ROWS, *way, "--project", "mine", "-o", "json")
    execution = execution_of(done)
    assert (done.code, execution["phase"], execution["error"]["code"]) == (3, "FAILED", "ValueError")
    handler = next(node for node in execution["nodes"] if node["id"] == "fn0")
    assert (handler["phase"], handler["target"]) == ("SUCCEEDED", "tsk:shared:production:lib.alarm:v1")


def test_a_registered_workflow_keeps_the_versions_it_refers_to(user: Path, installation: Installation) -> None:
    assert flytemp("register", user, "--project", "mine", "--version", "u1").code == 0
    changed = {**LIBRARY, "lib.py": LIBRARY["lib.py"].replace("x * x", "x + 1000")}
    later = write(installation.folder / "library-later", changed)
    try:
        assert flytemp("register", later, "--project", "shared", "--domain", "production", "--version", "v2").code == 0
        done = flytemp("launch", "user.uses", "--project", "mine", "--version", "u1", "--wait", "-o", "json", *ROWS)
        assert execution_of(done)["outputs"] == OUTPUTS
        fresh = flytemp("run", user, "uses", "--project", "mine", "-o", "json", "--local", *ROWS)
        assert execution_of(fresh)["error"] is None
        assert execution_of(fresh)["outputs"] == {**OUTPUTS, "squares": [1000, 1001, 1002, 1003]}
    finally:
        flytemp("register", installation.folder / "library", "--project", "shared", "--domain", "production", "--version", "v1")


def test_references_to_missing_entities_are_refused(user: Path, tmp_path: Path) -> None:
    wrong = USER["user.py"].replace('"lib.whole"', '"lib.wholly"').replace("squares(n: int)", "squares(n: int, m: int = 1)")
    file = write(tmp_path / "wrong", {**USER, "user.py": wrong}) / "user.py"
    for command in (("register", file), ("run", file, "uses", *ROWS), ("run", file, "uses", *ROWS, "--local")):
        done = flytemp(*command, "--project", "mine")
        assert done.code == 1
        assert "the reference to workflow wf:shared:production:lib.wholly cannot be resolved" in done.err
        assert "did you mean 'lib.whole'?" in done.err
        assert "it has no input 'm'" in done.err
