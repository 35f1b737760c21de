"""`run`, `launch`, `get`, `list`, `logs`, `cancel`, `terminate` against a real server, store and worker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.installation import DEADLINE_SECONDS, Installation, eventually
from tests.messages.golden import check_golden

pytestmark = pytest.mark.e2e

PROGRAM = '''
"""Program of the tests."""
import time
from pathlib import Path

from flytemp import LaunchPlan, task, workflow
from flytemp.types.directory import FlyteDirectory
from flytemp.types.file import FlyteFile


@task
def shout(text: str) -> str:
    print(f"shouting {text}")
    print("no end of line", end="")
    return text.upper()


@task
def wait_for(path: str) -> str:
    print("waiting", flush=True)
    while not Path(path).exists():
        time.sleep(0.05)
    return "seen"


@task
def fail(text: str) -> str:
    print("about to fail")
    raise ValueError(f"cannot say {text}")


@task
def read(data: FlyteFile, folder: FlyteDirectory) -> str:
    with open(data) as file:
        return f"{file.read()} {sorted(Path(folder.download()).iterdir())[0].name}"


@workflow
def hello(name: str = "world") -> str:
    """Greet somebody.

    Args:
        name: who is greeted
    """
    return shout(text=name)


@workflow
def twice(text: str) -> str:
    return shout(text=hello(name=text))


@workflow
def waiting(path: str) -> str:
    return wait_for(path=path)


@workflow
def failing(text: str) -> str:
    return fail(text=hello(name=text))


@workflow
def reading(data: FlyteFile, folder: FlyteDirectory) -> str:
    return read(data=data, folder=folder)


nightly = LaunchPlan.get_or_create(hello, name="nightly-hello", default_inputs={"name": "night"})
'''


class CommandLine:
    """Run `flytemp` as a process, in its own project and domain."""

    def __init__(self, installation: Installation, folder: Path) -> None:
        self.installation = installation
        self.folder = folder
        self.environment = installation.environment({"FLYTEMP_DOMAIN": "cli", "PYTHONUNBUFFERED": "1"})

    def __call__(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "flytemp_cli", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            input=stdin,
        )

    def error(self, code: int, *arguments: str) -> str:
        """Return the message of a command that fails with the exit code ``code`` and prints nothing else."""
        done = self(*arguments)
        assert (done.returncode, done.stdout) == (code, "")
        return done.stderr

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "flytemp_cli", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def json(self, *arguments: str) -> Any:
        done = self(*arguments, "-o", "json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def flytemp(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    folder = tmp_path_factory.mktemp("a project")
    (folder / "src").mkdir()
    (folder / "src" / "says.py").write_text(PROGRAM)
    command = CommandLine(installation, folder)
    done = command("register", "src")
    assert done.returncode == 0, done.stderr
    return command


def test_launch_prints_the_name_and_returns(flytemp: CommandLine) -> None:
    done = flytemp("launch", "hello", "--launch.name", "launched-1")

    assert (done.returncode, done.stdout) == (0, "launched-1\n")
    assert "flytemp get execution launched-1" in done.stderr


def test_repeated_launch_returns_the_existing_execution(flytemp: CommandLine) -> None:
    first = flytemp("launch", "hello", "--name", "Ada", "--launch.name", "same-1", "--wait")
    again = flytemp("launch", "hello", "--name", "Ada", "--launch.name", "same-1", "--wait")
    other = flytemp("launch", "hello", "--name", "Bob", "--launch.name", "same-1", "--wait")

    assert first.stdout == again.stdout == "o0  ADA\n"
    assert other.returncode == 1
    check_golden("repeated-launches", {"other inputs": partial(str, other.stderr)})


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (["hello"], "WORLD"),
        (["says.hello", "--name", "Ada"], "ADA"),
        (["nightly-hello"], "NIGHT"),
        (["nightly"], "NIGHT"),
        (["shout", "--text", "task"], "TASK"),
        (["wf:default:cli:says.twice", "--text=urn"], "URN"),
    ],
)
def test_launch_waits_for_workflows_tasks_and_launch_plans(words: list[str], output: str, flytemp: CommandLine) -> None:
    execution = flytemp.json("launch", *words, "--wait")

    assert (execution["phase"], execution["outputs"]) == ("SUCCEEDED", {"o0": output})


def test_run_launch_and_get_print_the_same_json(flytemp: CommandLine) -> None:
    ran = flytemp.json("run", "src/says.py", "twice", "--text", "x")
    launched = flytemp.json("launch", "twice", "--text", "x", "--wait")
    got = flytemp.json("get", "execution", launched["name"])
    as_yaml = yaml.safe_load(flytemp("get", "execution", launched["name"], "-o", "yaml").stdout)

    assert got == launched == as_yaml
    assert set(ran) == set(got)
    assert [node["id"] for node in ran["nodes"]] == [node["id"] for node in got["nodes"]] == ["n0", "n0.n0", "n1"]
    assert set(got) >= {"name", "phase", "inputs", "outputs", "error", "nodes"}
    assert got["inputs"] == {"text": "x"}


def test_run_follows_on_stderr_and_prints_the_outputs(flytemp: CommandLine) -> None:
    done = flytemp("run", "src/says.py", "twice", "--text", "ho")

    assert (done.returncode, done.stdout) == (0, "o0  HO\n")
    lines = [line.split(maxsplit=1)[1] for line in done.stderr.splitlines() if "  SUCCEEDED  " in line]
    assert [" ".join(line.split()[1:3]) for line in lines[:3]] == ["n0 hello", "n0.n0 shout", "n1 shout"]
    assert lines[-1].startswith("SUCCEEDED")


def test_failure_is_explained_with_exit_code_3(flytemp: CommandLine) -> None:
    done = flytemp("run", "src/says.py", "failing", "--text", "x", "--launch.name", "failed-1")

    assert (done.returncode, done.stdout) == (3, "")
    lines = [line for line in done.stderr.splitlines() if line.startswith(("error: ", "  hint: ", "hint: "))]
    check_golden("failed-executions", {"a task raised an exception": partial("\n".join, lines)})
    assert "says.py" in done.stderr
    assert "about to fail" in flytemp("logs", "failed-1", "n1").stdout
    assert flytemp("get", "execution", "failed-1").returncode == 0
    assert flytemp("launch", "failing", "--text", "x", "--wait", "-o", "json").returncode == 3


def test_inputs_from_a_document_and_flags(flytemp: CommandLine) -> None:
    (flytemp.folder / "inputs.yaml").write_text("text: from the file\n")

    assert flytemp("launch", "twice", "--inputs", "inputs.yaml", "--wait").stdout == "o0  FROM THE FILE\n"
    assert flytemp("launch", "twice", "--inputs", "-", "--wait", stdin='{"text": "stdin"}').stdout == "o0  STDIN\n"
    both = flytemp("launch", "twice", "--inputs", "inputs.yaml", "--text", "flag", "--wait")
    assert both.stdout == "o0  FLAG\n"


def test_local_files_and_folders_are_uploaded(flytemp: CommandLine) -> None:
    (flytemp.folder / "data.txt").write_text("content")
    (flytemp.folder / "folder").mkdir()
    (flytemp.folder / "folder" / "inner.txt").write_text("")

    launches = [
        flytemp("launch", "reading", "--data", "data.txt", "--folder", "folder", "--name", "files-1", "--wait") for _ in range(2)
    ]

    assert [launch.stdout for launch in launches] == ["o0  content inner.txt\n"] * 2
    assert "/uploads/" in flytemp.json("get", "execution", "files-1")["inputs"]["data"]["uri"]


def test_wait_times_out(flytemp: CommandLine, tmp_path: Path) -> None:
    for flags in (["--wait"], ["--follow"]):
        done = flytemp("launch", "waiting", "--path", str(tmp_path / "go"), *flags, "--timeout", "0.5", "-o", "json")

        assert done.returncode == 5
        execution = json.loads(done.stdout)
        assert execution["phase"] in ("QUEUED", "RUNNING")
        assert f"flytemp get execution {execution['name']}" in done.stderr
    (tmp_path / "go").touch()


def test_ctrl_c_does_not_stop_the_execution(flytemp: CommandLine, tmp_path: Path) -> None:
    following = flytemp.start("launch", "waiting", "--path", str(tmp_path / "go"), "--name", "detached-1", "--follow")
    wait_for_line(following, "RUNNING    n0 wait_for")

    following.send_signal(signal.SIGINT)

    _, err = following.communicate(timeout=DEADLINE_SECONDS)
    assert following.returncode == 130
    assert "execution detached-1 still runs" in err
    (tmp_path / "go").touch()
    done = flytemp("logs", "detached-1", "--follow")
    assert done.stdout == "n0 │ waiting\n"
    assert flytemp.json("get", "execution", "detached-1")["phase"] == "SUCCEEDED"


@pytest.mark.parametrize("verb", ["cancel", "terminate"])
def test_stopping(verb: str, flytemp: CommandLine, tmp_path: Path) -> None:
    name = f"to-{verb}"
    following = flytemp.start("launch", "waiting", "--path", str(tmp_path / "go"), "--name", name, "--follow")
    wait_for_line(following, "RUNNING    n0 wait_for")

    stopped = flytemp(verb, name, "--reason", "not needed")

    assert stopped.returncode == 0, stopped.stderr
    out, err = following.communicate(timeout=DEADLINE_SECONDS)
    assert (following.returncode, out) == (4, "")
    assert f"execution {name} is ABORTED" in err
    assert "not needed" in err
    again = flytemp(verb, name)
    assert again.returncode == 1


def test_lists(flytemp: CommandLine) -> None:
    for name, workflow in (("listed-1", "hello"), ("listed-2", "nightly-hello")):
        assert flytemp("launch", workflow, "--launch.name", name, "--wait").returncode == 0

    def listed(*flags: str) -> list[str]:
        return flytemp("list", "executions", "-o", "name", *flags).stdout.splitlines()

    eventually(lambda: {"listed-1", "listed-2"} <= set(listed()), "both are visible")
    assert {"listed-1", "listed-2"} <= set(listed("--workflow", "says.hello", "--phase", "succeeded"))
    assert "listed-1" not in listed("--phase", "failed")
    assert len(listed("--limit", "1")) == 1
    rows = flytemp("list", "executions").stdout.splitlines()
    assert rows[0].split() == ["NAME", "WORKFLOW", "VERSION", "PHASE", "STARTED", "DURATION"]
    assert any("listed-1" in row and "✓ SUCCEEDED" in row for row in rows)


def test_missing_worker_causes_a_warning(flytemp: CommandLine) -> None:
    lonely = CommandLine(flytemp.installation, flytemp.folder)
    lonely.environment["FLYTEMP_TASK_QUEUE"] = "nobody-polls-this"

    done = lonely("launch", "hello", "--launch.name", "lonely-1")

    assert (done.returncode, done.stdout) == (0, "lonely-1\n")
    assert "nobody-polls-this" in done.stderr
    assert lonely.json("get", "execution", "lonely-1")["phase"] == "QUEUED"
    assert lonely("terminate", "lonely-1").returncode == 0
    assert "warning: " not in flytemp("launch", "hello").stderr


def test_logs_of_all_nodes_are_prefixed(flytemp: CommandLine) -> None:
    name = flytemp("launch", "twice", "--text", "x", "--wait", "-o", "name").stdout.strip()

    assert flytemp("logs", name).stdout.splitlines() == [
        "n0.n0 │ shouting x",
        "n0.n0 │ no end of line",
        "n1 │ shouting X",
        "n1 │ no end of line",
    ]
    assert flytemp("logs", name, "n1").stdout == "shouting X\nno end of line"
    chunks = [json.loads(line) for line in flytemp("logs", name, "-o", "json").stdout.splitlines()]
    assert "".join(chunk["text"] for chunk in chunks if chunk["node"] == "n1") == "shouting X\nno end of line"


def test_unknown_names_are_errors(flytemp: CommandLine) -> None:
    lines = ["get execution nobody", "logs nobody", "cancel nobody", "launch helo"]
    check_golden("unknown-names", {line: partial(flytemp.error, 1, *line.split()) for line in lines})
    assert "v99" in flytemp.error(1, "launch", "hello", "--version", "v99")


def test_table_view(flytemp: CommandLine) -> None:
    flytemp("launch", "twice", "--text", "x", "--name", "viewed-1", "--label", "team=ml", "--wait")

    view = flytemp("get", "execution", "viewed-1").stdout

    for expected in ("viewed-1", "SUCCEEDED", "team=ml", "says.twice", "  text  x", "  o0  X", "└─ ✓ n1 shout", "file://"):
        assert expected in view


def test_service_account_option(flytemp: CommandLine) -> None:
    done = flytemp("launch", "twice", "--text", "x", "--name", "as-trainer", "--service-account", "trainer", "--wait")

    assert done.returncode == 0
    shown = json.loads(flytemp("get", "execution", "as-trainer", "-o", "json").stdout)
    context = json.loads((Path(shown["metadata_uri"].removeprefix("file://")) / "execution.json").read_text())
    assert context["options"]["service_account"] == "trainer"
    refused = flytemp("launch", "twice", "--text", "x", "--service-account", "not a name")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "not a name" in refused.stderr


def test_closed_stdout_is_not_an_error(flytemp: CommandLine) -> None:
    listing = flytemp.start("list", "tasks", "-o", "json")
    assert listing.stdout is not None
    listing.stdout.close()

    assert listing.wait(DEADLINE_SECONDS) in (0, 141)
    assert listing.stderr is not None
    assert listing.stderr.read() == ""
    listing.stderr.close()


def test_live_tree_on_a_terminal(flytemp: CommandLine) -> None:
    screen = on_a_terminal([sys.executable, "-m", "flytemp_cli", "run", "src/says.py", "twice", "--text", "x"], flytemp)

    assert "\x1b[2K" in screen  # it drew over itself
    assert screen.count("SUCCEEDED") >= 4
    assert "└─ " in screen
    assert "o0" in screen.splitlines()[-1]
    assert "\x1b[?25h" in screen  # and gave the cursor back


def wait_for_line(process: subprocess.Popen[str], expected: str) -> None:
    stderr = process.stderr
    assert stderr is not None
    eventually(lambda: expected in stderr.readline(), f"it says {expected!r}")


def on_a_terminal(command: list[str], flytemp: CommandLine) -> str:
    """Return the output of a command on a pseudo-terminal."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        command,
        cwd=flytemp.folder,
        env={**flytemp.environment, "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    screen = read_all(lambda: os.read(ours, 65536))
    os.close(ours)
    assert process.wait(DEADLINE_SECONDS) == 0
    return screen


def read_all(read: Callable[[], bytes]) -> str:
    parts = []
    while True:
        try:
            part = read()
        except OSError:  # Linux says so when the other end of a terminal is closed
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts).decode()
