"""Trees of executions with every kind of node and with many nodes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import click
import pytest

from flytemp.records.models import (
    ErrorInfo,
    Execution,
    GateAnswer,
    GateInfo,
    MapItems,
    NodeExecution,
    Pause,
    Phase,
)
from flytemp_cli.execution_view import execution_view, failure_lines
from flytemp_cli.follow import ChangeLines, whole_tree
from flytemp_cli.formatting import time_text
from flytemp_cli.node_tree import MAX_LINES, tree_lines
from flytemp_cli.output import Output
from flytemp_cli.style import Style

PLAIN = Style(False)
START = datetime(2026, 1, 31, 12, tzinfo=UTC)
NOW = START + timedelta(seconds=90)


def node(path: str, phase: Phase, kind: str = "task", name: str = "", **more: object) -> NodeExecution:
    begun = phase not in (Phase.QUEUED, Phase.SKIPPED)
    over = phase.is_final and begun
    fields: dict[str, object] = {
        "id": path,
        "name": name or path.rpartition(".")[2],
        "kind": kind,
        "target": "",
        "phase": phase,
        "started_at": START if begun else None,
        "finished_at": START + timedelta(seconds=2) if over else None,
        **more,
    }
    return NodeExecution.model_validate(fields)


def execution(*nodes: NodeExecution, phase: Phase = Phase.RUNNING, **more: object) -> Execution:
    fields: dict[str, object] = {
        "name": "nightly-1", "project": "default", "domain": "development", "phase": phase, "nodes": list(nodes),
        "workflow": "wf.train", "started_at": START, **more,
    }  # fmt: skip
    return Execution.model_validate(fields)


def lines_of(*nodes: NodeExecution, height: int | None = None) -> list[str]:
    return tree_lines(nodes, NOW, PLAIN, height=height, name="nightly-1")


def test_branch_shows_the_selected_case() -> None:
    lines = lines_of(
        node("n0", Phase.RUNNING, "branch", "quality"),
        node("n0.n0", Phase.SKIPPED, name="keep"),
        node("n0.n1", Phase.RUNNING, name="tune"),
        node("n1", Phase.QUEUED, "branch", "later"),
        node("n2", Phase.SUCCEEDED, "branch", "nested"),
        node("n2.n0", Phase.SUCCEEDED, "branch"),
        node("n2.n0.n0", Phase.SUCCEEDED, name="fit"),
    )

    assert lines == [
        "├─ ● n0 quality    RUNNING    1m 30s  took n1 tune",
        "│  ├─ – n0 keep    SKIPPED",
        "│  └─ ● n1 tune    RUNNING    1m 30s",
        "├─ ○ n1 later      QUEUED",
        "└─ ✓ n2 nested     SUCCEEDED    2.0s  took n0",
        "   └─ ✓ n0         SUCCEEDED    2.0s  took n0 fit",
        "      └─ ✓ n0 fit  SUCCEEDED    2.0s",
    ]
    painted = tree_lines([node("n0", Phase.SKIPPED, name="keep")], NOW, Style(True))
    assert painted == [click.style("└─ – n0 keep  SKIPPED", dim=True)]


def test_map_is_one_line() -> None:
    items = [node(f"n0.{index}", Phase.RUNNING) for index in range(8)]
    counts = MapItems(total=100, succeeded=53, running=8)

    lines = lines_of(node("n0", Phase.RUNNING, "map", "fit", items=counts), *items)

    assert lines == ["└─ ● n0 fit  RUNNING    1m 30s  53 of 100 done, 8 running"]


def test_failed_items_of_a_map_are_shown() -> None:
    error = ErrorInfo(code="ValueError", message="no rows")
    items = [node(f"n0.{index}", Phase.FAILED if index % 2 else Phase.SUCCEEDED, error=error) for index in range(40)]

    lines = lines_of(node("n0", Phase.FAILED, "map", "fit", items=MapItems(total=40, succeeded=20, failed=20)), *items)

    assert len(lines) == 12
    assert lines[0].endswith("20 of 40 done, 20 failed")
    assert lines[1] == "   ├─ ✗ 1    FAILED       2.0s  ValueError: no rows"
    assert lines[-1] == "   └─ … and 30 more"


def test_all_items_of_a_small_map_are_shown() -> None:
    items = [node(f"n0.{index}", Phase.SUCCEEDED) for index in range(3)]

    assert len(lines_of(node("n0", Phase.SUCCEEDED, "map", items=MapItems(total=3, succeeded=3)), *items)) == 4


def test_launch_plan_node_shows_its_execution() -> None:
    error = ErrorInfo(code="ValueError", message="no rows", node="n7")
    child = "ex:default:development:nightly-1-n0"

    [line] = lines_of(node("n0", Phase.FAILED, "launch_plan", "nightly", child_execution=child, error=error))

    assert line.endswith("execution nightly-1-n0  ValueError: no rows")


@pytest.mark.parametrize(
    ("info", "phase", "told"),
    [
        (
            GateInfo(name="release", kind="approve", since=START, deadline=NOW + timedelta(minutes=10)),
            Phase.RUNNING,
            "waits for approval: flytemp approve nightly-1 release  times out in 10m 00s",
        ),
        (
            GateInfo(name="rate", kind="input", type={"kind": "float"}, since=START),
            Phase.RUNNING,
            "waits for float: flytemp set-input nightly-1 rate VALUE",
        ),
        (
            GateInfo(name="release", kind="approve", answer=GateAnswer(by="ann@lab", at=NOW, approved=True, reason="fine")),
            Phase.SUCCEEDED,
            f"approved by ann@lab at {time_text(NOW)}: fine",
        ),
        (
            GateInfo(name="release", kind="approve", answer=GateAnswer(by="ann@lab", at=NOW, approved=False)),
            Phase.FAILED,
            f"rejected by ann@lab at {time_text(NOW)}",
        ),
        (
            GateInfo(name="rate", kind="input", answer=GateAnswer(by="ann@lab", at=NOW, value={"a": [1]})),
            Phase.SUCCEEDED,
            f'set to {{"a": [1]}} by ann@lab at {time_text(NOW)}',
        ),
    ],
)
def test_gate_shows_the_command_or_the_answer(info: GateInfo, phase: Phase, told: str) -> None:
    [line] = lines_of(node("n0", phase, "gate", info.name, gate=info, message=f"waits for the input '{info.name}'"))

    assert line.partition("  ")[2].strip().split("  ", 2)[-1].strip().endswith(told)


def test_paused_execution_shows_user_and_reason() -> None:
    paused = execution(phase=Phase.PAUSED, paused=Pause(by="ann@lab", at=datetime.now(UTC), reason="maintenance"))

    [line] = whole_tree(paused, PLAIN)
    view = execution_view(paused, PLAIN, "")

    assert line.startswith("‖ nightly-1  wf.train  PAUSED")
    assert line.endswith("ms ago: maintenance")
    assert any(row.startswith("Paused") and "by ann@lab" in row for row in view)


def test_back_off_is_shown() -> None:
    [line] = lines_of(node("n0", Phase.RUNNING, attempts=2, message="attempt 3 in 12 s"))

    assert line.endswith("attempt 2  attempt 3 in 12 s")


def sub_workflow(index: int, phase: Phase) -> list[NodeExecution]:
    path = f"n{index}"
    return [
        node(path, phase, "workflow", "sub"),
        node(f"{path}.n0", Phase.SUCCEEDED),
        node(f"{path}.n1", phase),
    ]


def test_finished_subtrees_are_folded() -> None:
    nodes = [one for index in range(4) for one in sub_workflow(index, Phase.RUNNING if index == 2 else Phase.SUCCEEDED)]

    assert len(lines_of(*nodes)) == 12
    assert lines_of(*nodes, height=8) == [
        "├─ ✓ n0 sub  SUCCEEDED    2.0s  2 nodes inside",
        "├─ ✓ n1 sub  SUCCEEDED    2.0s  2 nodes inside",
        "├─ ● n2 sub  RUNNING    1m 30s",
        "│  ├─ ✓ n0   SUCCEEDED    2.0s",
        "│  └─ ● n1   RUNNING    1m 30s",
        "└─ ✓ n3 sub  SUCCEEDED    2.0s  2 nodes inside",
    ]


def test_neighbours_of_one_phase_are_joined() -> None:
    nodes = [node(f"n{index}", Phase.SUCCEEDED) for index in range(50)]
    nodes[30] = node("n30", Phase.FAILED)
    nodes[40] = node("n40", Phase.RUNNING)

    assert lines_of(*nodes, height=5) == [
        "├─ … 30 nodes SUCCEEDED",
        "├─ ✗ n30  FAILED       2.0s",
        "├─ … 9 nodes SUCCEEDED",
        "├─ ● n40  RUNNING    1m 30s",
        "└─ … 9 nodes SUCCEEDED",
    ]


def test_most_relevant_nodes_are_kept_with_their_callers() -> None:
    nodes = [one for index in range(300) for one in sub_workflow(index, Phase.RUNNING)]
    nodes += [node("n300", Phase.RUNNING, "workflow"), node("n300.n0", Phase.FAILED)]
    nodes += [node("n301", Phase.RUNNING, "gate", gate=GateInfo(name="release", kind="approve", since=START))]

    lines = lines_of(*nodes, height=6)

    assert len(lines) == 6
    shown = "\n".join(lines)
    assert "n300" in shown
    assert "✗ n0" in shown
    assert "flytemp approve nightly-1 release" in shown
    assert lines[-1].startswith("… ")
    counted = sum(int(part.split()[0]) for part in lines[-1].partition(": ")[2].split(", "))
    assert counted == len(nodes) - 5


@pytest.mark.parametrize("build", [lambda index: f"n{index}", lambda index: ".".join(["n0"] * (index + 1))])
def test_large_and_deep_trees(build: Callable[[int], str]) -> None:
    count = 5_000 if build(1) == "n1" else 500
    large = execution(*(node(build(index), Phase.RUNNING if index % 7 == 0 else Phase.SUCCEEDED) for index in range(count)))

    lines = whole_tree(large, PLAIN)

    assert len(lines) == MAX_LINES + 1
    assert "more nodes" in lines[-1]
    assert len(execution_view(large, PLAIN, "", every_node=True)) > count


def test_large_map_prints_progress_instead_of_items(capsys: pytest.CaptureFixture[str]) -> None:
    changes = ChangeLines(Output("table"))

    for done in range(0, 101):
        failed = node("n0.7", Phase.FAILED, error=ErrorInfo(code="E", message="no")) if done > 50 else node("n0.7", Phase.RUNNING)
        counts = MapItems(total=100, succeeded=done)
        changes.show(execution(node("n0", Phase.RUNNING, "map", "fit", items=counts), node("n0.3", Phase.SUCCEEDED), failed))

    told = [line.split(maxsplit=1)[1] for line in capsys.readouterr().err.splitlines()]
    assert told[0] == "RUNNING    nightly-1"
    assert told[1] == "RUNNING    n0 fit  0 of 100 done"
    assert [line for line in told if "n0.3" in line] == []
    assert len([line for line in told if "n0.7" in line]) == 1
    assert len(told) == 1 + 11 + 1


def test_answer_and_pause_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    changes = ChangeLines(Output("table"))
    waits = GateInfo(name="release", kind="approve", since=START)
    changes.show(execution(node("n0", Phase.RUNNING, "gate", gate=waits)))
    changes.show(execution(node("n0", Phase.RUNNING, "gate", gate=waits), phase=Phase.PAUSED, paused=Pause(by="ann", reason="r")))

    told = [line.split(maxsplit=1)[1] for line in capsys.readouterr().err.splitlines()]
    assert told == [
        "RUNNING    nightly-1",
        "RUNNING    n0  waits for approval: flytemp approve nightly-1 release",
        "PAUSED     nightly-1  paused by ann: r",
    ]


def test_failure_names_the_node_where_it_began() -> None:
    error = ErrorInfo(code="ReceivedRejectSignal", message="rejected by ann: too few rows", node="n0.n1", task=None)
    failed = execution(
        node("n0", Phase.FAILED, "branch", error=error),
        node("n0.n1", Phase.FAILED, "gate", "release", error=error),
        phase=Phase.FAILED,
        error=error,
    )

    assert failure_lines(failed, PLAIN) == [
        "error: execution nightly-1 is FAILED: node n0.n1: ReceivedRejectSignal: rejected by ann: too few rows",
        "hint: `flytemp get execution nightly-1` shows the details",
    ]
