"""Bad programs and bad inputs: one clear message with the user's line, a hint, an exit code, and no partial effect."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flytemp.registry.documents import sealed, unsealed
from flytemp.store import local
from tests.command_line import Done, environment, flytemp
from tests.e2e.bad_programs import BAD_PROGRAMS, RUNNABLE, BadProgram
from tests.installation import DEADLINE_SECONDS, Installation

pytestmark = pytest.mark.e2e

NOWHERE = "127.0.0.1:1"
GOOD = """
from flytemp import task, workflow


@task
def keep(a: int) -> int:
    return a


@workflow
def keep_wf(x: int) -> int:
    return keep(a=x)
"""


@pytest.fixture(scope="module")
def here(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Write `runnable.py` to the working directory and register it."""
    folder = tmp_path_factory.mktemp("errors")
    (folder / "runnable.py").write_text(RUNNABLE)
    with environment({**installation.environment(), "NO_COLOR": "1"}, folder):
        assert flytemp("register", "runnable.py").code == 0
        yield installation


@pytest.fixture
def own_store(here: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create an empty store for this test, and `good.py` beside it."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "good.py").write_text(GOOD)
    monkeypatch.setenv("FLYTEMP_STORE", str(tmp_path / "store"))
    return tmp_path / "store"


def registered() -> set[str]:
    """Return every object of the registry."""
    registry = Path(os.environ["FLYTEMP_STORE"]) / "registry"
    return {str(path) for path in registry.rglob("*") if path.is_file()}


def refused(done: Done, says: str, hint: str = "", *, code: int) -> None:
    """Check that there is one message and one hint, and neither data nor a traceback."""
    lines = done.err.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert (done.code, done.out, len(errors)) == (code, "", 1), done
    assert "Traceback" not in done.err
    assert not re.match(r"error: unexpected \w+(: |$)", errors[0]), "a bug, not a message"
    assert re.search(says, done.err), done.err
    hints = [line.strip() for line in lines if line.strip().startswith("hint: ")]
    assert hints, done.err
    assert re.search(hint, " ".join(hints)), done.err


# ------------------------------------------------------------------------------------------- programs


@pytest.mark.parametrize("program", BAD_PROGRAMS, ids=lambda program: program.name)
def test_a_bad_program_is_refused_at_its_line(own_store: Path, tmp_path: Path, program: BadProgram) -> None:
    file = tmp_path / "src" / f"{program.name}.py"
    file.write_text(program.source)
    for command in (["register", file], ["check", file], ["register", file.parent]):
        done = flytemp(*command)
        refused(done, program.says, program.hint, code=1)
        assert f"error: {file}:{program.line}: " in done.err, done.err
    verbose = flytemp("register", file, "-v")
    assert verbose.code == 1
    assert "Traceback" in verbose.err
    assert registered() == set()


def test_all_problems_are_reported_at_once(own_store: Path, tmp_path: Path) -> None:
    wanted = [program for program in BAD_PROGRAMS if program.name in ("wrong_type", "cycle", "promise_if")]
    for program in wanted:
        (tmp_path / "src" / f"{program.name}.py").write_text(program.source)
    done = flytemp("register", tmp_path / "src")
    refused(done, "the program has 3 problems", code=1)
    for program in wanted:
        assert f"{program.name}.py:{program.line}: " in done.err
    assert registered() == set()


def test_a_file_without_entities_is_refused(own_store: Path, tmp_path: Path) -> None:
    (tmp_path / "src" / "good.py").write_text("")
    refused(flytemp("register", tmp_path / "src"), r"good\.py:1: there is no task", "@task", code=1)
    refused(flytemp("register", tmp_path / "nowhere"), "no such file or folder:", "relative to the current folder", code=2)
    (tmp_path / "notes.txt").write_text("notes")
    refused(flytemp("register", tmp_path / "notes.txt"), "is not a Python module", r"\.py", code=1)


# --------------------------------------------------------------------------------------------- inputs

INPUTS = [
    pytest.param(["errors_wf"], "missing input: --x", "x: int", id="missing"),
    pytest.param(["errors_wf", "--x", "three"], "--x: expected an integer", "x: int", id="wrong type"),
    pytest.param(["errors_wf", "--x", "1.5"], "--x: expected an integer", "x: int", id="a float for an int"),
    pytest.param(["errors_wf", "--x", str(2**63)], "--x: .*64", "", id="more than 64 bits"),
    pytest.param(["errors_wf", "--x"], "'--x' requires an argument", "--help", id="no value"),
    pytest.param(["errors_wf", "--x", "1", "--z", "2"], "unknown input z", "x: int", id="unknown"),
    pytest.param(["errors_wf", "--x", "1", "extra"], "extra argument", "--help", id="an extra word"),
    pytest.param(["errors_fixed", "--x", "1", "--y", "2"], "unknown input y", "x: int", id="fixed by the launch plan"),
    pytest.param(["total", "--a", "1", "--points", '[{"x":1},{"x":"b"}]'], r"--points: .*\[1\]\.x", "", id="inside a list"),
    pytest.param(["total", "--a", "1", "--points", '[{"z":1}]'], "Point has no field 'z'", "x, name", id="unknown field"),
    pytest.param(["total", "--a", "1", "--points", "[{"], "expected JSON", "quote it", id="not JSON"),
    pytest.param(["total", "--a", "1", "--points", "[]", "--color", "green"], "'green'", "'blue'", id="not of the enum"),
    pytest.param(["size", "--file", "/no/such/file"], "/no/such/file does not exist", "check the path", id="no such file"),
    pytest.param(["size", "--file", "/"], "'/' is not a file", "takes a file", id="a folder for a file"),
    pytest.param(["count", "--folder", "/no/such"], "/no/such does not exist", "check the path", id="no such folder"),
    pytest.param(["length", "--inputs", "large.json"], "'text' measures 2.9 MiB", "FlyteFile", id="a 3 MB value"),
    pytest.param(["length", "--inputs", "broken.json"], "broken.json is not JSON", "", id="broken inputs file"),
    pytest.param(["length", "--inputs", "list.json"], "must contain one object", "", id="inputs are no object"),
    pytest.param(["length", "--inputs", "unknown.json"], "unknown input tekst; did you mean text", "", id="unknown in a file"),
    pytest.param(["length", "--inputs", "nowhere.json"], "cannot read nowhere.json", "", id="no inputs file"),
    pytest.param(["errors_wf", "--x", "1", "--name", "../../x"], "'../../x' cannot be an execution's name", "", id="../ name"),
    pytest.param(["errors_wf", "--x", "1", "--project", "../x"], "'../x' cannot be a project's name", "", id="../ project"),
    pytest.param(["errors_wf", "--x", "1", "--domain", "../x"], "'../x' cannot be a domain's name", "", id="../ domain"),
    pytest.param(["errors_wf", "--x", "1", "--version", "../x"], "'../x' cannot be a version", "", id="../ version"),
]


@pytest.fixture
def input_files(here: Installation) -> None:
    Path("large.json").write_text(json.dumps({"text": "x" * 3_000_000}))
    Path("broken.json").write_text("{")
    Path("list.json").write_text("[1]")
    Path("unknown.json").write_text('{"tekst": "a"}')


@pytest.mark.usefixtures("input_files")
@pytest.mark.parametrize(("words", "says", "hint"), INPUTS)
def test_a_bad_input_is_a_usage_error(words: list[str], says: str, hint: str) -> None:
    before = registered()
    target = words if "errors" in words[0] else [f"runnable.{words[0]}", *words[1:]]
    for command in (["run", "runnable.py", *words], ["run", "--local", "runnable.py", *words], ["launch", *target]):
        refused(flytemp(*command), says, hint, code=2)
    assert registered() == before


@pytest.mark.parametrize(
    ("words", "says", "hint"),
    [
        (["run", "runnable.py", "../wf"], "no task, workflow or launch plan '../wf'", "the program has"),
        (["run", "runnable.py", "error_wf"], "no task, workflow or launch plan 'error_wf'", "did you mean errors_wf"),
        (["launch", "../wf"], "is named '../wf'", ""),
        (["launch", "error_wf"], "is named 'error_wf'", r"did you mean runnable\.errors_wf"),
        (["launch", "wf:default:development:../x:v1"], r"\.\./x", ""),
        (["launch", "errors_wf", "--version", "v0", "--x", "1"], "has no version 'v0'", "latest"),
        (["get", "workflow", "../../x"], r"\.\./\.\./x", ""),
        (["get", "execution", "../../x"], r"\.\./\.\./x", ""),
        (["logs", "no-such-execution"], "no execution 'no-such-execution'", "list executions"),
        (["cancel", "no-such-execution", "--reason", "none"], "no execution 'no-such-execution'", "list executions"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_unknown_name(here: Installation, words: list[str], says: str, hint: str) -> None:
    refused(flytemp(*words), says, hint, code=1)


# ----------------------------------------------------------------------------------------- executions

FAILURES = [
    pytest.param("wrong_type", "got 'text' of type <class 'str'>", id="a wrong type"),
    pytest.param("wrong_count", "returned int, but declares 2 outputs", id="too few outputs"),
    pytest.param("nothing", "got 'None'", id="nothing returned"),
    pytest.param("late_import", "ModuleNotFoundError: No module named 'not_installed_anywhere'", id="a module that is missing"),
    pytest.param("raises", "ValueError: a bad thing", id="an exception"),
    pytest.param("gives_up", "no use", id="an exception that is not retried"),
    pytest.param("large", "measures 2.9 MiB", id="an output too large"),
    pytest.param("no_file", "/no/such/file.txt does not exist", id="a file that was not written"),
]


def _failed(done: Done, says: str, line: int) -> None:
    assert (done.code, done.out) == (3, ""), done.err
    assert "Traceback" not in done.err
    assert len([text for text in done.err.splitlines() if text.startswith("error: ")]) == 1, done.err
    assert re.search(says, done.err), done.err
    assert re.search(rf'runnable\.py", line {line}\b', done.err), done.err
    assert "\nhint: " in done.err


@pytest.mark.parametrize(("task", "says"), FAILURES)
def test_a_task_that_fails_shows_its_line(here: Installation, task: str, says: str) -> None:
    line = next(number for number, text in enumerate(RUNNABLE.splitlines(), 1) if text.endswith(f"# {task}"))
    _failed(flytemp("run", "runnable.py", task, "--a", "1"), says, line)
    _failed(flytemp("run", "--local", "runnable.py", task, "--a", "1"), says, line)
    verbose = flytemp("run", "--local", "runnable.py", task, "--a", "1", "-v", "-o", "json")
    assert "Traceback (most recent call last):" in verbose.err
    execution = json.loads(verbose.out)
    assert (execution["phase"], execution["error"]["node"]) == ("FAILED", "n0")


def test_a_failure_inside_a_workflow_names_the_node(here: Installation) -> None:
    done = flytemp("launch", "nested_raise_wf", "--wait", "-o", "json")
    execution = json.loads(done.out)
    assert (done.code, execution["phase"], execution["outputs"]) == (3, "FAILED", None)
    assert [node["phase"] for node in execution["nodes"]] == ["FAILED", "SKIPPED"]
    assert "node n0 (runnable.raises), attempt 1: ValueError: a bad thing" in done.err


def test_a_crash_is_reported_as_a_crash(here: Installation) -> None:
    done = flytemp("run", "runnable.py", "crashes", "--a", "1")
    assert (done.code, done.out) == (3, "")
    assert "code 7" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param("raise ImportError('this machine lacks something')", "this machine lacks something", id="raises"),
        pytest.param("del only", "the module 'elsewhere.*' has no 'only'", id="lacks the task"),
    ],
)
def test_a_module_that_imports_differently_at_run_time(
    here: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str, says: str
) -> None:
    file = tmp_path / "elsewhere.py"
    file.write_text(
        "import os\n\nfrom flytemp import task\n\n\n@task\ndef only(a: int) -> int:\n    return a\n\n\n"
        f"if 'ONLY_WHERE_IT_IS_REGISTERED' not in os.environ:\n    {body}\n"
    )
    monkeypatch.setenv("ONLY_WHERE_IT_IS_REGISTERED", "1")
    done = flytemp("run", file, "only", "--a", "1")
    assert (done.code, done.out) == (3, "")
    assert re.search(says, done.err), done.err
    assert "Traceback" not in done.err


# -------------------------------------------------------------------------------------------- registry


def test_other_content_under_a_version_is_a_conflict(own_store: Path, tmp_path: Path) -> None:
    file = tmp_path / "src" / "good.py"
    assert flytemp("register", file, "--version", "v1").code == 0
    before = registered()
    file.write_text(GOOD.replace("x: int", "x: int, y: int = 3"))
    done = flytemp("register", file, "--version", "v1")
    assert done.code == 1
    assert "error: version v1 exists with different content" in done.err
    assert '"name":"y"' in done.err
    assert "hint: " in done.err
    assert "Traceback" not in done.err
    refused(flytemp("run", file, "keep_wf", "--x", "1", "--version", "v1"), '"name":"y"', "another", code=1)
    assert registered() == before


DAMAGES = [
    pytest.param(lambda text: text[:100], "is not JSON", "restore it", id="cut off"),
    pytest.param(lambda text: "", "is not JSON", "restore it", id="empty"),
    pytest.param(lambda text: "[]", "is not a valid document", "restore it", id="no object"),
    pytest.param(lambda text: '{"kind": "workflow"}', "Field required", "restore it", id="fields are missing"),
    pytest.param(
        lambda text: text.replace('"schema_version":1', '"schema_version":99'), "schema version 99", "upgrade", id="newer"
    ),
    pytest.param(lambda text: text.replace("keep_wf", "kept_wf"), "keep_wf", "", id="another name"),
]


@pytest.mark.parametrize(("damage", "says", "hint"), DAMAGES)
def test_a_damaged_spec_names_its_object(own_store: Path, tmp_path: Path, damage: Any, says: str, hint: str) -> None:
    assert flytemp("register", tmp_path / "src", "--version", "v1").code == 0
    before = registered()
    spec = own_store / "registry/default/development/workflows/good.keep_wf/versions/v1.json"
    spec.write_text(sealed(damage(unsealed(spec.read_bytes(), "").decode())))
    for command in (
        ["get", "workflow", "good.keep_wf"],
        ["graph", "keep_wf"],
        ["launch", "wf:default:development:good.keep_wf:v1", "--x", "1"],
        ["register", tmp_path / "src", "--version", "v1"],
    ):
        done = flytemp(*command)
        refused(done, says, hint, code=1)
        assert str(spec) in done.err
    assert registered() == before


def test_a_spec_that_is_damaged_after_the_launch_plan_was_read(here: Installation, tmp_path: Path) -> None:
    (tmp_path / "damaged.py").write_text(GOOD)
    assert flytemp("register", tmp_path / "damaged.py").code == 0
    folder = here.store / "registry/default/development/workflows/damaged.keep_wf/versions"
    spec = next(folder.iterdir())
    whole = spec.read_text()
    spec.write_text(whole[:100])
    done = flytemp("launch", "damaged.keep_wf", "--x", "1", "--wait")
    assert (done.code, done.out) == (3, "")
    assert str(spec) in done.err
    assert "Traceback" not in done.err
    spec.write_text(whole)
    bundle = here.store / "bundles" / f"{json.loads(whole)['document']['bundle']['digest']}.tar.gz"
    bundle.write_bytes(bundle.read_bytes()[:50])
    done = flytemp("launch", "damaged.keep_wf", "--x", "2", "--wait")
    assert (done.code, done.out) == (3, "")
    assert str(bundle) in done.err
    assert "Traceback" not in done.err


# ---------------------------------------------------------------------------------------------- store


def test_a_store_in_a_folder_that_cannot_be_created(own_store: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    store = str(tmp_path / "file" / "store")
    good = tmp_path / "src" / "good.py"
    for command in (
        ["register", good],
        ["run", good, "keep_wf", "--x", "1"],
        ["run", "--local", good, "keep_wf", "--x", "1"],
        ["launch", "keep_wf", "--x", "1"],
        ["list", "workflows"],
        ["get", "workflow", "keep_wf"],
    ):
        refused(flytemp(*command, "--store", store), "Not a directory", "FLYTEMP_STORE", code=1)
    setup = flytemp("setup", "--store", store)
    assert setup.code == 1
    assert re.search("error: store: .*Not a directory", setup.err)


@pytest.mark.parametrize(
    ("store", "says", "hint"),
    [
        ("nope://bucket", "the protocol 'nope' is unknown", "s3"),
        ("ftp:///no-host/x", "ftp", ""),
        ("", "store", ""),
    ],
)
def test_an_invalid_store_uri(own_store: Path, tmp_path: Path, store: str, says: str, hint: str) -> None:
    refused(flytemp("register", tmp_path / "src", "--store", store), says, hint, code=1)


@pytest.mark.parametrize(
    ("number", "says", "hint"),
    [(errno.EROFS, "Read-only file system", "read-only"), (errno.EACCES, "Permission denied", "permission")],
)
def test_a_read_only_store(
    own_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, says: str, hint: str
) -> None:
    def refuse(temporary: str, folder: str) -> int:
        raise OSError(number, os.strerror(number), temporary)

    monkeypatch.setattr(local, "_open_new", refuse)
    good = tmp_path / "src" / "good.py"
    for command in (["register", good], ["run", good, "keep_wf", "--x", "1"], ["run", "--local", good, "keep_wf", "--x", "1"]):
        refused(flytemp(*command), says, hint, code=1)
    assert registered() == set()
    assert flytemp("list", "workflows").code == 0


def test_a_full_store_has_all_of_a_version_or_nothing(own_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fill the store so that each write in turn is the first one that fails."""
    write_all, room = local._write_all, 0

    def write(descriptor: int, data: bytes) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_all(descriptor, data)

    monkeypatch.setattr(local, "_write_all", write)
    while True:
        left = room
        done = flytemp("register", tmp_path / "src")
        if done.code == 0:
            break
        refused(done, "No space left on device", "free|space|full", code=1)
        for kind in ("tasks", "workflows", "launch-plans"):
            assert flytemp("list", kind, "-o", "name").out == ""
        assert registered() == set()
        room += 1
    assert room > 1, "at least the bundle and the record of the registration were written"
    listings = [flytemp("list", kind, "-o", "name").out for kind in ("tasks", "workflows", "launch-plans")]
    assert all(listings)
    left = 1000
    assert flytemp("register", tmp_path / "src").code == 0
    assert [flytemp("list", kind, "-o", "name").out for kind in ("tasks", "workflows", "launch-plans")] == listings


# ------------------------------------------------------------------------------------------- Temporal

COMMANDS_OF_TEMPORAL = [
    ["run", "runnable.py", "errors_wf", "--x", "1"],
    ["launch", "errors_wf", "--x", "1"],
    ["launch", "errors_wf", "--x", "1", "--wait"],
    ["list", "executions"],
    ["get", "execution", "any"],
    ["logs", "any"],
    ["cancel", "any", "--reason", "none"],
    ["terminate", "any", "--reason", "none"],
    ["setup"],
    ["worker"],
]


@pytest.mark.parametrize("words", COMMANDS_OF_TEMPORAL, ids=" ".join)
def test_temporal_is_not_running(here: Installation, words: list[str]) -> None:
    before = registered()
    done = flytemp(*words, "--address", NOWHERE)
    refused(done, f"no Temporal server answers at {NOWHERE}.*: Connection refused\n", "flytemp dev", code=1)
    assert registered() == before


@pytest.mark.parametrize("words", [COMMANDS_OF_TEMPORAL[0], ["register", "runnable.py"], ["list", "executions"]], ids=" ".join)
def test_an_unknown_profile_or_namespace(here: Installation, tmp_path: Path, words: list[str]) -> None:
    refused(flytemp(*words, "--profile", "nonesuch"), "the Temporal profile 'nonesuch' does not exist", "temporal config", code=1)
    config = tmp_path / "temporal.toml"
    config.write_text('[profile.prod]\naddress = "localhost:7233"\n')
    with environment({**here.environment(), "TEMPORAL_CONFIG_FILE": str(config), "TEMPORAL_PROFILE": "prd"}, Path.cwd()):
        refused(flytemp(*words), "Temporal profile 'prd' does not exist", "prod", code=1)
    if words[0] != "register":
        refused(flytemp(*words, "--namespace", "nonesuch"), "namespace nonesuch", "namespace create", code=1)


# ------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        pytest.param("project = \n", r"flytemp\.toml:1: the file is not TOML", "a line like", id="not TOML"),
        pytest.param('\nprojct = "x"\n', r"flytemp\.toml:2: 'projct' is not a setting", "'project'", id="unknown setting"),
        pytest.param("[wroker]\nslots = 1\n", r"flytemp\.toml:1: \[wroker\] is not a setting", "'worker'", id="unknown table"),
        pytest.param("[worker]\nslot = 1\n", r"flytemp\.toml:2: .*slot", "slots", id="unknown setting of the worker"),
        pytest.param("[worker]\nrecycle_after = 'x'\n", r"flytemp\.toml:2: worker\.recycle_after", "", id="no number"),
        pytest.param('project = "../x"\n', r"flytemp\.toml:1: project = '../x'", "correct the value", id="../ project"),
        pytest.param("domain = 3\n", r"flytemp\.toml:1: domain = 3", "correct the value", id="wrong type"),
    ],
)
def test_a_broken_flytemp_toml(own_store: Path, tmp_path: Path, text: str, says: str, hint: str) -> None:
    (tmp_path / "flytemp.toml").write_text(text)
    with environment(dict(os.environ), tmp_path):
        for words in (["config", "view"], ["register", "src"], ["run", "src/good.py", "keep_wf", "--x", "1"]):
            refused(flytemp(*words), says, hint, code=1)
    assert registered() == set()


def test_unknown_commands_and_options(here: Installation) -> None:
    refused(flytemp("regster"), "no such command: regster", "", code=2)
    refused(flytemp("register", "runnable.py", "--dry"), "--dry", "--help", code=2)
    refused(flytemp("register"), "missing argument", "--help", code=2)
    refused(flytemp("list", "executions", "-o", "xml"), "'xml'", "--help", code=2)
    refused(flytemp("list", "executions", "--address", "nonsense"), "host:port", "", code=1)


def test_the_installed_command_reports_the_same_errors(here: Installation) -> None:
    """The tests above call the command in this process; this one runs the console script."""
    words = ["run", "runnable.py", "errors_wf", "--x", "three", "-o", "json"]
    done = subprocess.run(
        [sys.executable, "-m", "flytemp_cli", *words], capture_output=True, text=True, check=False, timeout=DEADLINE_SECONDS
    )
    refused(Done(done.returncode, done.stdout, done.stderr), "--x: expected an integer", "x: int", code=2)
