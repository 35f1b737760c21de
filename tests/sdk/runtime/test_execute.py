"""One try in this process: claim, commit, result."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flytemp.errors import StoreError
from flytemp.runtime.commit import read_claim, read_result, read_try_error
from flytemp.runtime.execute import ExecutionOptions, execute
from flytemp.runtime.failures import TryFailed
from flytemp.runtime.host import host_identity, process_started
from flytemp.runtime.invocation import Invocation, TaskResult
from flytemp.store.local import LocalStore
from flytemp.store.object_store import ObjectStore
from tests.sdk.runtime.project import Project

PROGRAM = """
    import os
    from dataclasses import dataclass
    from typing import NamedTuple, Optional

    from flytemp import current_context, task
    from flytemp.types.file import FlyteFile

    class Both(NamedTuple):
        total: int
        text: str

    @task
    def add(x: int, y: int = 10) -> int:
        return x + y

    @task
    def both(x: int) -> Both:
        return Both(x, str(x))

    @task
    async def later(x: int) -> int:
        return x + 1

    @task
    def nothing() -> None:
        pass

    @task
    def count(path: str) -> int:
        with open(path, "a") as file:
            file.write("x")
        return 1

    @task
    def where() -> dict[str, str]:
        context = current_context()
        return {
            "execution": str(context.execution_id),
            "task": str(context.task_id),
            "date": context.execution_date.isoformat(),
            "directory": context.working_directory,
            "cwd": os.getcwd(),
            "raw": context.raw_output_prefix,
            "metadata": context.output_metadata_prefix,
        }

    @task
    def total(numbers: list[int], named: dict[str, int]) -> int:
        return sum(numbers) + sum(named.values())

    @task
    def report() -> FlyteFile:
        with open("report.txt", "w") as file:
            file.write("all well")
        return FlyteFile("report.txt")

    @task
    def absent() -> FlyteFile:
        return FlyteFile("nowhere.txt")

    @task
    def wrong() -> int:
        return "one"

    @task
    def large() -> str:
        return "x" * (3 * 2**20)
"""


@pytest.fixture
def program(project: Project) -> Project:
    project.write(PROGRAM)
    return project


def run(program: Project, options: ExecutionOptions, task: str, *arguments: Any, **changes: Any) -> TaskResult:
    result = execute(program.invocation(task, *arguments, **changes), program.store, owner="me", options=options)
    assert result is not None
    return result


def test_outputs_are_committed_and_the_try_is_claimed(program: Project, options: ExecutionOptions) -> None:
    invocation = program.invocation("add", {"x": 1})
    result = execute(invocation, program.store, owner="me", options=options)
    assert result is not None
    assert (result.status, result.outputs, result.error, result.try_) == ("succeeded", {"o0": 11}, None, 1)
    assert read_result(program.store, invocation) == result
    claim = read_claim(program.store, invocation)
    assert claim is not None
    assert (claim.owner, claim.pid, claim.host) == ("me", os.getpid(), host_identity())
    assert claim.process_started == process_started(os.getpid()) != ""


@pytest.mark.parametrize(
    ("task", "inputs", "outputs"),
    [
        ("both", {"x": 3}, {"total": 3, "text": "3"}),
        ("later", {"x": 3}, {"o0": 4}),
        ("nothing", {}, {}),
        ("add", {"x": 1, "y": 2}, {"o0": 3}),
    ],
)
def test_all_forms_of_outputs_are_committed(
    program: Project, options: ExecutionOptions, task: str, inputs: dict[str, Any], outputs: dict[str, Any]
) -> None:
    assert run(program, options, task, inputs).outputs == outputs


def test_caller_without_the_claim_runs_nothing(program: Project, options: ExecutionOptions, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    invocation = program.invocation("count", {"path": str(ran)})
    assert execute(invocation, program.store, owner="first", options=options) is not None
    assert execute(invocation, program.store, owner="second", options=options) is None
    assert ran.read_text() == "x"
    claim = read_claim(program.store, invocation)
    assert claim is not None
    assert claim.owner == "first"


def test_first_commit_of_an_attempt_counts(program: Project, options: ExecutionOptions) -> None:
    first = run(program, options, "add", {"x": 1})
    second = run(program, options, "add", {"x": 5}, try_=2)
    assert second == first


def test_one_of_many_racing_processes_runs_the_try(program: Project, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    invocation = program.invocation("count", {"path": str(ran)})
    code = """
import sys
from pathlib import Path
from flytemp.runtime.execute import ExecutionOptions, execute
from flytemp.runtime.invocation import Invocation
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
invocation = Invocation.model_validate_json(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
options = ExecutionOptions(bundles=Path(sys.argv[2]))
result = execute(invocation, open_store(invocation.store), owner="x", options=options)
print("ran" if result is not None else "lost")
"""
    command = [sys.executable, "-c", code, invocation.model_dump_json(), str(tmp_path / "bundles")]
    racers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path) for _ in range(4)]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    outcomes = []
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        outcomes.append(racer.communicate(timeout=60)[0].strip())
        assert racer.returncode == 0
    assert sorted(outcomes) == ["lost", "lost", "lost", "ran"]
    assert ran.read_text() == "x"


def test_inputs_are_read_from_results_and_the_execution(program: Project, options: ExecutionOptions) -> None:
    layout = program.layout
    program.store.write(
        layout.result("a.b", "2"),
        TaskResult(status="succeeded", outputs={"o": {"items": [4, 5]}}).model_dump_json().encode(),
    )
    program.store.write(layout.execution, json.dumps({"inputs": {"x": {"deep": 100}}}).encode())
    numbers = {
        "items": [
            {"literal": 1},
            {"result": "a.b/2", "output": "o", "path": ["items", 1]},
            {"execution_input": "x", "path": ["deep"]},
        ]
    }
    named = {"entries": {"one": {"literal": 1000}, "two": {"result": "a.b/2", "output": "o", "path": ["items", 0]}}}
    result = run(program, options, "total", closed={"numbers": numbers, "named": named})
    assert result.outputs == {"o0": 1 + 5 + 100 + 1000 + 4}


def test_context_of_a_task(program: Project, options: ExecutionOptions) -> None:
    before = os.getcwd()
    result = run(program, options, "where")
    assert result.outputs is not None
    seen = result.outputs["o0"]
    assert seen["execution"] == f"ex:p:d:run{program.number}"
    assert seen["task"] == f"tsk:p:d:{program.module}.where:v1"
    assert seen["date"] == "2026-01-31T12:00:00+00:00"
    assert seen["cwd"] == seen["directory"]
    assert not Path(seen["directory"]).exists()
    assert seen["raw"] == f"{program.store.uri}/data/{program.number}/n0"
    assert seen["metadata"] == program.store.uri_of(program.layout.attempt("n0", "1"))
    assert os.getcwd() == before


def test_current_directory_may_be_kept(program: Project, options: ExecutionOptions) -> None:
    here = ExecutionOptions(bundles=options.bundles, change_directory=False)
    result = run(program, here, "where")
    assert result.outputs is not None
    assert result.outputs["o0"]["cwd"] == os.getcwd()


def test_file_is_uploaded_below_the_raw_data_prefix(program: Project, options: ExecutionOptions) -> None:
    result = run(program, options, "report")
    assert result.outputs is not None
    uri = result.outputs["o0"]["uri"]
    assert uri.startswith(f"{program.store.uri}/data/{program.number}/n0/")
    assert Path(uri.removeprefix("file://")).read_text() == "all well"


@pytest.mark.parametrize(
    ("task", "code", "name"),
    [
        ("wrong", "TypeMismatch", "{module}.wrong"),
        ("large", "LimitExceeded", "{module}.large"),
        ("absent", "TypeMismatch", "nowhere.txt"),
    ],
)
def test_output_of_a_wrong_type_is_charged_to_the_user(
    program: Project, options: ExecutionOptions, task: str, code: str, name: str
) -> None:
    error = run(program, options, task).error
    assert error is not None
    assert (error.kind, error.code, error.retryable) == ("USER", code, False)
    assert name.format(module=program.module) in error.message


def test_input_of_a_wrong_type_is_charged_to_the_user(program: Project, options: ExecutionOptions) -> None:
    error = run(program, options, "add", {"x": "one"}).error
    assert error is not None
    assert (error.kind, error.code, error.retryable) == ("USER", "TypeMismatch", False)
    assert re.search(rf"'{program.module}\.add'.*\n.*'x'", error.message)


def test_missing_path_in_an_input_is_charged_to_the_user(program: Project, options: ExecutionOptions) -> None:
    key = program.layout.result("a", "1")
    program.store.write(key, TaskResult(status="succeeded", outputs={"o": None}).model_dump_json().encode())
    error = run(program, options, "add", closed={"x": {"result": "a/1", "output": "o", "path": ["field"]}}).error
    assert error is not None
    assert (error.kind, error.retryable) == ("USER", False)
    assert "'field'" in error.message


def _failure(invocation: Invocation, store: ObjectStore, options: ExecutionOptions) -> TryFailed:
    with pytest.raises(TryFailed) as caught:
        execute(invocation, store, owner="me", options=options)
    return caught.value


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "NotFound"),
        (b"no json", "CorruptData"),
        (b"[]", "CorruptData"),
        (b'{"outputs": {}}', "CorruptData"),
    ],
)
def test_unreadable_input_is_charged_to_the_platform(
    program: Project, options: ExecutionOptions, content: bytes | None, code: str
) -> None:
    if content is not None:
        program.store.write(program.layout.result("a", "1"), content)
    invocation = program.invocation("add", closed={"x": {"result": "a/1", "output": "o"}})
    failure = _failure(invocation, program.store, options)
    assert (failure.error.kind, failure.error.code) == ("SYSTEM", code)
    assert read_try_error(program.store, invocation) == failure.error
    assert read_result(program.store, invocation) is None


def test_missing_bundle_is_charged_to_the_platform(program: Project, options: ExecutionOptions) -> None:
    invocation = program.invocation("add", {"x": 1})
    assert invocation.bundle is not None
    gone = invocation.bundle.model_copy(update={"digest": "0" * 64})
    failure = _failure(invocation.model_copy(update={"bundle": gone}), program.store, options)
    assert (failure.error.kind, failure.error.code) == ("SYSTEM", "NotFound")
    assert "000000000000" in failure.error.message


class RefusingStore(LocalStore):
    """A store whose disk is full when a key with ``ending`` is created."""

    ending = "/result.json"

    def create(self, key: str, data: bytes) -> bool:
        if key.endswith(self.ending):
            raise StoreError(f"cannot create {key}: No space left on device")
        return super().create(key, data)


class FullStore(RefusingStore):
    ending = ".json"

    def write(self, key: str, data: bytes) -> None:
        raise StoreError(f"cannot write {key}: No space left on device")


def test_failed_commit_is_charged_to_the_platform(program: Project, options: ExecutionOptions) -> None:
    store = RefusingStore(program.store.uri)
    invocation = program.invocation("add", {"x": 1})
    failure = _failure(invocation, store, options)
    assert (failure.error.kind, failure.error.code) == ("SYSTEM", "StoreError")
    assert read_try_error(store, invocation) == failure.error


def test_nothing_runs_without_a_claim(program: Project, options: ExecutionOptions, tmp_path: Path) -> None:
    store = FullStore(program.store.uri)
    ran = tmp_path / "ran"
    failure = _failure(program.invocation("count", {"path": str(ran)}), store, options)
    assert failure.error.code == "StoreError"
    assert not ran.exists()


def test_other_protocol_is_refused(program: Project, options: ExecutionOptions) -> None:
    failure = _failure(program.invocation("add", {"x": 1}, protocol=99), program.store, options)
    assert failure.error.kind == "SYSTEM"
    assert "99" in failure.error.message


def test_returned_working_directory_has_no_inputs(project: Project, options: ExecutionOptions, tmp_path: Path) -> None:
    project.write("""
        from pathlib import Path
        from flytemp import FlyteDirectory, FlyteFile, current_context, task

        @task
        def copy(data: FlyteFile) -> FlyteDirectory:
            folder = Path(current_context().working_directory)
            assert Path.cwd() == folder
            (folder / "out.txt").write_text(data.open().read())
            return FlyteDirectory(str(folder))
    """)
    (tmp_path / "in.txt").write_text("text")
    data = {"uri": f"file://{tmp_path / 'in.txt'}", "format": ""}
    result = execute(project.invocation("copy", {"data": data}), project.store, owner="me", options=options)
    assert result is not None
    assert result.outputs is not None
    uploaded = Path(result.outputs["o0"]["uri"].removeprefix("file://"))
    assert [path.name for path in uploaded.rglob("*")] == ["out.txt"]
