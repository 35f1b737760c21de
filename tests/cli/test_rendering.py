"""Executions as tables, trees, JSON, YAML and names, and messages about failures."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from flytemp.records.models import AttemptInfo, ErrorInfo, Execution, NodeExecution, Phase
from flytemp_cli.execution_view import execution_view, failure_lines, final_exit_code, show_end
from flytemp_cli.follow import ChangeLines, whole_tree
from flytemp_cli.formatting import ago_text, duration_text, size_text, value_text
from flytemp_cli.launching import ui_link
from flytemp_cli.node_tree import tree_lines
from flytemp_cli.output import Output, columns, pairs
from flytemp_cli.style import Style, one_line, width

PLAIN = Style(False)
START = datetime(2026, 1, 31, 12, tzinfo=UTC)
TRACEBACK = 'Traceback (most recent call last):\n  File "wf.py", line 7, in train\nValueError: no rows'


def node(path: str, phase: Phase, name: str = "", seconds: float | None = None, **more: object) -> NodeExecution:
    fields: dict[str, object] = {
        "id": path,
        "name": name or path.rpartition(".")[2],
        "kind": "task",
        "target": f"wf.{name}",
        "phase": phase,
        "started_at": None if seconds is None else START,
        "finished_at": None if seconds is None else START + timedelta(seconds=seconds),
        **more,
    }
    return NodeExecution.model_validate(fields)


def succeeded() -> Execution:
    return Execution(
        name="nightly-1",
        project="default",
        domain="development",
        phase=Phase.SUCCEEDED,
        workflow="wf.train_all",
        version="v1",
        launch_plan="nightly",
        inputs={"x": 3},
        outputs={"score": 0.5, "report": {"uri": "s3://b/r.html", "format": "html"}},
        nodes=[
            node("n0", Phase.SUCCEEDED, "load", 1.5),
            node("n1", Phase.SUCCEEDED, "sub", 2, kind="workflow"),
            node("n1.n0", Phase.SUCCEEDED, "fit", 2, attempts=2),
        ],
        started_at=START,
        finished_at=START + timedelta(seconds=65),
        labels={"team": "ml"},
        namespace="default",
        workflow_id="ex:default:development:nightly-1",
        metadata_uri="file:///store/executions/x",
        raw_data_uri="file:///store/data/x",
    )


def failed() -> Execution:
    error = ErrorInfo(code="ValueError", message="no rows", node="n1.n0", task="wf.train", attempt=2, traceback=TRACEBACK)
    return succeeded().model_copy(
        update={
            "phase": Phase.FAILED,
            "outputs": None,
            "error": error,
            "nodes": [
                node("n0", Phase.SUCCEEDED, "load", 1),
                node("n1", Phase.FAILED, "sub", 2, kind="workflow"),
                node("n1.n0", Phase.FAILED, "train", 2, attempts=2, error=error),
                node("n2", Phase.TIMED_OUT, "wait", 3, error=ErrorInfo(code="Timeout", message="after 3 s")),
                node("n3", Phase.SKIPPED, "report"),
            ],
        }
    )


def test_tree_nests_sub_workflows_and_aligns_columns() -> None:
    assert tree_lines(succeeded().nodes, START, PLAIN) == [
        "├─ ✓ n0 load    SUCCEEDED    1.5s",
        "└─ ✓ n1 sub     SUCCEEDED    2.0s",
        "   └─ ✓ n0 fit  SUCCEEDED    2.0s  attempt 2",
    ]


def test_tree_shows_errors_waits_and_restarts() -> None:
    nodes = [
        node("n0", Phase.FAILED, "a", 1, error=ErrorInfo(code="E", message="first\nsecond \x1b[31mred")),
        node("n1", Phase.QUEUED, "b", message="waits for a free slot"),
        node("n2", Phase.RUNNING, "c", attempt_history=[AttemptInfo(attempt=1, phase=Phase.RUNNING, tries=3)]),
    ]

    lines = tree_lines(nodes, START, PLAIN)

    assert lines[0].endswith("E: first second [31mred")
    assert lines[1].endswith("waits for a free slot")
    assert lines[2].endswith("restarted 2× by the platform")


def test_duration_of_a_running_node() -> None:
    running = node("n0", Phase.RUNNING, "a").model_copy(update={"started_at": START})

    assert tree_lines([running], START + timedelta(seconds=90), PLAIN)[0].endswith("1m 30s")


def test_headline_of_the_execution() -> None:
    assert whole_tree(succeeded(), PLAIN)[0] == "✓ nightly-1  wf.train_all  SUCCEEDED  1m 05s"


def test_colours_do_not_change_the_text() -> None:
    import click

    painted = whole_tree(failed(), Style(True))

    assert [click.unstyle(line) for line in painted] == whole_tree(failed(), PLAIN)
    assert any("\x1b[31m" in line for line in painted)


@pytest.mark.parametrize(
    ("format_", "read"),
    [
        ("json", lambda text: json.loads(text)),
        ("yaml", lambda text: yaml.safe_load(text)),
    ],
)
def test_execution_as_json_and_yaml(format_: str, read: Callable[[str], object], capsys: pytest.CaptureFixture[str]) -> None:
    show_end(succeeded(), Output(format_))

    captured = capsys.readouterr()
    assert read(captured.out) == succeeded().model_dump(mode="json")
    assert captured.err == ""


def test_execution_as_name(capsys: pytest.CaptureFixture[str]) -> None:
    show_end(succeeded(), Output("name"))

    assert capsys.readouterr().out == "nightly-1\n"


def test_table_format_prints_the_outputs(capsys: pytest.CaptureFixture[str]) -> None:
    show_end(succeeded(), Output("table"))

    assert capsys.readouterr().out == "score   0.5\nreport  s3://b/r.html\n"


def test_failure_is_printed_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    show_end(failed(), Output("json"))

    captured = capsys.readouterr()
    assert json.loads(captured.out)["error"]["message"] == "no rows"
    assert captured.err.startswith("error: execution nightly-1 is FAILED")


def test_failure_lines() -> None:
    assert failure_lines(failed(), PLAIN) == [
        "error: execution nightly-1 is FAILED: node n1.n0 (wf.train), attempt 2: ValueError: no rows",
        '    File "wf.py", line 7, in train',
        "also timed_out: node n2 (wait): Timeout: after 3 s",
        "hint: `flytemp logs nightly-1 n1.n0` shows its output",
    ]


def test_verbose_shows_the_complete_traceback() -> None:
    lines = failure_lines(failed(), PLAIN, verbose=True)

    assert lines[1:4] == ["  Traceback (most recent call last):", '    File "wf.py", line 7, in train', "  ValueError: no rows"]


def test_local_failure_has_no_hint_to_logs() -> None:
    assert failure_lines(failed(), PLAIN, local=True)[-1].startswith("hint: the task's output is above")


def test_failure_of_the_platform_has_a_note() -> None:
    broken = failed().model_copy(update={"error": ErrorInfo(code="Lost", message="the process is gone", kind="SYSTEM")})

    assert "note: this is a failure of the platform, not of the task's code" in failure_lines(broken, PLAIN)


def test_failure_without_a_node_has_a_hint_to_the_execution() -> None:
    refused = Execution(
        name="e1", project="p", domain="d", phase=Phase.FAILED, error=ErrorInfo(code="NotFound", message="no such workflow")
    )

    assert failure_lines(refused, PLAIN) == [
        "error: execution e1 is FAILED: NotFound: no such workflow",
        "hint: `flytemp get execution e1` shows the details",
    ]


@pytest.mark.parametrize(
    ("phase", "code"),
    [(Phase.SUCCEEDED, 0), (Phase.FAILED, 3), (Phase.TIMED_OUT, 3), (Phase.ABORTED, 4)],
)
def test_exit_codes_of_phases(phase: Phase, code: int) -> None:
    assert final_exit_code(succeeded().model_copy(update={"phase": phase})) == code


def test_execution_view() -> None:
    text = "\n".join(execution_view(failed(), PLAIN, "http://ui/x"))

    for expected in (
        "Execution    nightly-1",
        "Phase        FAILED",
        "Workflow     wf.train_all version v1",
        "Launch plan  nightly",
        "Duration     1m 05s",
        "Labels       team=ml",
        "Metadata     file:///store/executions/x",
        "Files        file:///store/data/x",
        "Temporal UI  http://ui/x",
        "  x  3",
        "└─ – n3 report",
        "  node n1.n0 (wf.train), attempt 2: ValueError: no rows",
        '    File "wf.py", line 7, in train',
    ):
        assert expected in text
    assert "Outputs" not in text


def test_each_change_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    changes = ChangeLines(Output("table"))
    first = succeeded().model_copy(
        update={"phase": Phase.RUNNING, "nodes": [node("n0", Phase.RUNNING, "load"), node("n1", Phase.QUEUED, "fit")]}
    )
    retried = first.model_copy(update={"nodes": [node("n0", Phase.RUNNING, "load", attempts=2), node("n1", Phase.QUEUED, "fit")]})
    last = succeeded().model_copy(
        update={"nodes": [node("n0", Phase.SUCCEEDED, "load", 2, attempts=2), node("n1", Phase.SUCCEEDED, "fit", 1)]}
    )

    for execution in (first, first, retried, last):
        changes.show(execution)

    told = [line.split(maxsplit=1)[1] for line in capsys.readouterr().err.splitlines()]
    assert told == [
        "RUNNING    nightly-1",
        "RUNNING    n0 load",
        "RUNNING    n0 load  attempt 2",
        "SUCCEEDED  n0 load  2.0s  attempt 2",
        "SUCCEEDED  n1 fit  1.0s",
        "SUCCEEDED  nightly-1",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "40ms"), (1.44, "1.4s"), (12.9, "12s"), (65, "1m 05s"), (7500, "2h 05m"), (273600, "3d 4h"), (-1, "0ms")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(("size", "text"), [(812, "812 B"), (1434, "1.4 KiB"), (20 * 2**20, "20.0 MiB")])
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


def test_times_are_local_with_their_age() -> None:
    local = START.astimezone().strftime("%Y-%m-%d %H:%M:%S")

    assert ago_text(START, START + timedelta(minutes=3)) == f"{local} (3m 00s ago)"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("two\nlines", "two\nlines"),
        ("\x1b[31mred\x07", "[31mred"),
        ({"uri": "s3://b/x", "format": ""}, "s3://b/x"),
        ({"uri": 1}, '{"uri": 1}'),
        (None, "null"),
        ([1, "ü"], '[1, "ü"]'),
    ],
)
def test_values(value: object, text: str) -> None:
    assert value_text(value) == text


def test_columns_are_aligned_by_display_width() -> None:
    lines = columns(["NAME", "PHASE"], [["日本", "x"], ["plain", "\x1b[32my\x1b[0m"]], PLAIN)

    assert lines == ["NAME   PHASE", "日本   x", "plain  \x1b[32my\x1b[0m"]
    assert width(lines[1]) == 8


def test_pairs_indent_continuation_lines() -> None:
    assert pairs([("text", "a\nb\n"), ("empty", ""), ("n", "1")], PLAIN) == ["text  a", "      b", "n     1"]


def test_one_line_has_no_control_characters() -> None:
    assert one_line("a\n\tb\x1b[2J\u202ec") == "a b [2J c"
    assert one_line("abcdef", 4) == "abc…"


def test_links_to_the_ui_are_quoted() -> None:
    assert ui_link("http://ui/", "a b", "ex:p:d:n/1") == "http://ui/namespaces/a%20b/workflows/ex%3Ap%3Ad%3An%2F1"
    assert ui_link(None, "x", "y") == ""
