"""Examples of one feature each: the commands of their READMEs, and the phases of their nodes.

The same execution is looked at in three ways: the call in Python, ``--local``, and a real installation.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flytemp.compiler import Program, load_program
from tests.command_line import Done, environment, flytemp
from tests.docs.blocks import ROOT, blocks
from tests.docs.new_user import Newcomer
from tests.examples.projects import copy_of
from tests.installation import Installation, eventually

EXAMPLES = (
    "conditionals", "dynamic", "mapping", "launch_plans", "approvals", "failure_handling", "time_limits",
    "imperative_and_yaml", "references", "large", "shell_tasks",
)  # fmt: skip

LINES = ["oslo 21.5", "rome 30", "???", "paris 25", "lima 19"]
HEIGHTS = {"height": [1.5, 2.0], "weight": [60.0, 80.0]}


@pytest.mark.parametrize(
    ("example", "file", "name", "inputs", "expected"),
    [
        ("conditionals", "quality.py", "average_reading", {"readings": [20.5, 21.5]}, 21.0),
        ("conditionals", "quality.py", "average_reading", {"readings": [20.5, None, 21.5, 22.0]}, 21.25),
        ("conditionals", "quality.py", "average_reading", {"readings": [20.0, None, 23.0]}, 21.0),
        ("mapping", "stations.py", "corrected", {"celsius": [1.0, 2.0], "offsets": [0.5, 0.0]}, [0.5, 2.0]),
        ("mapping", "stations.py", "all_means", {"celsius": [[20.0, 21.0], [30.0]], "offsets": [[0.5, 0.5], [1.0]]}, [20, 29]),
        ("launch_plans", "sales.py", "company_report", {"regions": ["north", "south"]}, 2641.66),
        ("launch_plans", "sales.py", "company_report", {"regions": []}, 1461.2),
        ("time_limits", "crawl.py", "crawl", {"seconds": 0.0}, 29),
        ("shell_tasks", "words.py", "top_words", {"text": "To be, or not to be: be it so"}, "be to"),
        ("large", "bootstrap.py", "confidence", {"data": [4.1, 3.9, 5.0, 4.4]}, {"low": 4.025, "high": 4.7}),
        (
            "imperative_and_yaml", "columns.py", "column_statistics", {"table": HEIGHTS},
            {"text": "mean of height: 1.75\nspread of height: 0.5\nmean of weight: 70"},
        ),
    ],
)  # fmt: skip
def test_plain_call_and_local_run_agree(
    tmp_path: Path, example: str, file: str, name: str, inputs: dict[str, Any], expected: Any
) -> None:
    path = copy_of(example, tmp_path) / file
    (tmp_path / "inputs.json").write_text(json.dumps(inputs))
    program = load_program([path])
    workflow: Any = program.workflows.get(name) or program.workflows[f"{path.stem}.{name}"]

    with environment({}, path.parent):
        called = workflow(**inputs)
        done = flytemp("run", path, name, "--inputs", tmp_path / "inputs.json", "--local", "-o", "json")

    outputs = expected if isinstance(expected, dict) else {"o0": expected}
    assert json.loads(done.out)["outputs"] == outputs, done.err
    assert (list(called) if isinstance(called, tuple) else [called]) == list(outputs.values())


def test_too_many_gaps_are_refused(tmp_path: Path) -> None:
    program = load_program([copy_of("conditionals", tmp_path) / "quality.py"])

    with pytest.raises(ValueError, match="too many readings are missing"):
        program.workflows["quality.average_reading"](readings=[1.0, None, None])


def test_best_learning_rate_is_found(tmp_path: Path) -> None:
    program = load_program([copy_of("dynamic", tmp_path) / "halving.py"])
    best: Any = program.workflows["halving.tune"](learning_rates=[0.01, 0.1, 0.5, 3.0])

    assert (best.learning_rate, best.steps) == (0.5, 20)
    assert (best.slope, best.intercept) == (pytest.approx(3, abs=0.01), pytest.approx(1, abs=0.01))


@pytest.fixture
def staging(tmp_path: Path) -> Program:
    return load_program([copy_of("failure_handling", tmp_path) / "staging.py"])


def tables(database: Path) -> list[str]:
    with sqlite3.connect(database) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM sqlite_master ORDER BY name")]


def test_failure_does_not_change_the_table(staging: Program, tmp_path: Path) -> None:
    refresh: Any = staging.workflows["staging.refresh"]
    database = tmp_path / "weather.db"

    assert refresh(database=str(database), rows=["oslo,21.5", "rome,30"]) == 2
    with pytest.raises(ValueError, match="not enough values"):
        refresh(database=str(database), rows=["rome"])

    assert tables(database) == ["weather"]


@pytest.mark.e2e
@pytest.mark.parametrize("example", EXAMPLES)
def test_commands_of_the_readme(installation: Installation, tmp_path: Path, example: str) -> None:
    project = f"readme-{example.replace('_', '-')}"
    variables = {**installation.environment(), "FLYTEMP_PROJECT": project}
    newcomer = Newcomer(copy_of(example, tmp_path), variables, quick=True)

    for block in blocks(ROOT / "examples" / example / "README.md"):
        newcomer.follow(block)


@pytest.fixture
def there(installation: Installation, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Return a copy of the test's example as the working directory."""
    folder = copy_of(request.param, tmp_path)
    with environment({**installation.environment(), "FLYTEMP_PROJECT": "shapes"}, folder):
        yield folder


def run(*words: object, code: int = 0) -> dict[str, Any]:
    """Return an execution as JSON and the phases of its nodes."""
    done = flytemp("run", *words, "-o", "json")
    assert done.code == code, done.err
    return shown(done)


def shown(done: Done) -> dict[str, Any]:
    execution: dict[str, Any] = json.loads(done.out)
    return {**execution, "phases": {node["id"]: node["phase"] for node in execution["nodes"]}}


@pytest.mark.e2e
@pytest.mark.parametrize("there", ["conditionals"], indirect=True)
def test_other_cases_are_skipped(there: Path) -> None:
    execution = run("quality.py", "--readings", "[20.5, null, 21.5, 22.0]")

    assert execution["outputs"] == {"o0": 21.25}
    skipped = [node for node, phase in execution["phases"].items() if phase == "SKIPPED"]
    assert skipped == ["n1.n0", "n1.n1.n0"]
    assert execution["phases"]["n1.n1.n1"] == "SUCCEEDED"


@pytest.mark.e2e
@pytest.mark.parametrize("there", ["dynamic"], indirect=True)
def test_rounds_are_nested(there: Path) -> None:
    execution = run("halving.py", "--learning-rates", "[0.01, 0.1, 0.5, 3.0]")

    assert execution["outputs"]["o0"]["learning_rate"] == 0.5
    rounds = [node["id"] for node in execution["nodes"] if node["kind"] == "dynamic"]
    assert rounds == ["n0", "n0.n5", "n0.n5.n3"]
    assert set(execution["phases"].values()) == {"SUCCEEDED"}


@pytest.mark.e2e
@pytest.mark.parametrize("there", ["mapping"], indirect=True)
def test_one_invalid_line_is_tolerated(there: Path) -> None:
    execution = run("stations.py", "read_log", "--lines", json.dumps(LINES))
    assert execution["outputs"] == {"o0": {"readings": 4, "unreadable": 1, "hottest": "rome"}}
    assert [node for node, phase in execution["phases"].items() if phase == "FAILED"] == ["n0.2"]
    mapped = next(node for node in execution["nodes"] if node["kind"] == "map")
    assert (mapped["items"]["total"], mapped["items"]["succeeded"], mapped["items"]["failed"]) == (5, 4, 1)

    failed = run("stations.py", "read_log", "--lines", json.dumps(["?", *LINES]), code=3)
    assert (failed["phases"]["n0"], failed["phases"]["n1"]) == ("FAILED", "SKIPPED")


@pytest.mark.e2e
@pytest.mark.parametrize("there", ["launch_plans"], indirect=True)
def test_launch_plans_are_separate_executions(there: Path) -> None:
    execution = run("sales.py", "company_report", "--regions", '["north"]', "--name", "march")

    assert execution["outputs"] == {"o0": 1799.25}
    assert execution["phases"]["n0.n0"] == "SUCCEEDED"  # of the sub-workflow
    children = [node["child_execution"] for node in execution["nodes"] if node["child_execution"]]
    listed = json.loads(flytemp("list", "executions", "-o", "json").out)
    assert len(children) == 2
    assert {child.rpartition(":")[2] for child in children} <= {each["name"] for each in listed}


@pytest.mark.e2e
@pytest.mark.parametrize("there", ["approvals"], indirect=True)
def test_only_a_weak_model_needs_an_approval(there: Path) -> None:
    assert flytemp("register", "release.py").code == 0
    for name, strength in (("good-model", 1.0), ("weak-model", 0.002)):
        assert flytemp("launch", "release", "--strength", strength, "--name", name).code == 0
        for gate in ("version", "release-note"):
            assert flytemp("set-input", name, gate, "new").code == 0
    waiting = eventually(lambda: json.loads(flytemp("list", "waiting", "-o", "json").out), "the weak model waits")
    assert [(gate["execution"], gate["gate"], gate["node"]) for gate in waiting] == [("weak-model", "weak-model", "n1.n1")]
    assert flytemp("reject", "weak-model", "weak-model", "--reason", "train it again").code == 0

    good = shown(flytemp("launch", "release", "--strength", 1.0, "--name", "good-model", "--wait", "-o", "json"))
    weak = shown(flytemp("launch", "release", "--strength", 0.002, "--name", "weak-model", "--wait", "-o", "json"))

    assert (good["phase"], good["phases"]["n1.n1"]) == ("SUCCEEDED", "SKIPPED")
    assert (weak["phase"], weak["phases"]["n1.n1"], weak["phases"]["n4"]) == ("FAILED", "FAILED", "SKIPPED")
    assert "train it again" in weak["error"]["message"]


@pytest.mark.e2e
@pytest.mark.parametrize("there", ["failure_handling"], indirect=True)
def test_handler_cleans_up_and_other_nodes_continue(there: Path) -> None:
    database = there / "weather.db"
    words = ("--database", database, "--rows", '["rome"]', "--sample", '["rome,30", "oslo,20"]')
    execution = run("staging.py", "refresh_and_report", *words, code=3)

    assert execution["phases"] == {
        "n0": "FAILED",
        "n0.n0": "SUCCEEDED",
        "n0.n1": "FAILED",
        "n0.n2": "SKIPPED",
        "n0.fn0": "SUCCEEDED",
        "n1": "SUCCEEDED",
    }
    assert tables(database) == []


@pytest.mark.e2e
@pytest.mark.parametrize("there", ["time_limits"], indirect=True)
def test_task_exceeds_its_limit_twice(there: Path) -> None:
    execution = run("crawl.py", "crawl", "--seconds", 30, code=3)

    assert (execution["phase"], execution["phases"]["n0"]) == ("FAILED", "TIMED_OUT")
    assert [node["attempts"] for node in execution["nodes"]] == [2, 1, 0]
    assert execution["error"]["code"] == "Timeout"


@pytest.mark.e2e
@pytest.mark.parametrize("there", ["references"], indirect=True)
def test_references_are_pinned(there: Path) -> None:
    missing = flytemp("register", "reviews.py", "--store", there.parent / "empty")
    assert flytemp("register", "shared/cleaning.py", "--project", "shared").code == 0
    execution = run("reviews.py", "--review", "Not good")

    assert missing.code == 1
    assert "cleaning.clean" in missing.err
    assert execution["outputs"] == {"o0": 0.5}
    assert {node["id"]: node["kind"] for node in execution["nodes"] if "." not in node["id"]} == {
        "n0": "launch_plan",
        "n1": "workflow",
        "n2": "task",
        "n3": "task",
    }


@pytest.mark.e2e
@pytest.mark.parametrize("there", ["large"], indirect=True)
def test_items_share_processes(there: Path) -> None:
    execution = run("bootstrap.py", "careful", "--data", "[4.1, 3.9, 5.0, 4.4]", "--samples", 500)

    assert execution["outputs"]["low"] < 4.35 < execution["outputs"]["high"]
    mapped = next(node for node in execution["nodes"] if node["kind"] == "map")
    assert (mapped["items"]["total"], mapped["items"]["succeeded"]) == (500, 500)
