"""Shell tasks: their definition, their templates, and their scripts in this process and in the runtime."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flytemp import FlyteDirectory, FlyteFile, Resources, dynamic, kwtypes, map_task, task, workflow
from flytemp.compiler.assemble import compile_entity, task_document
from flytemp.compiler.yaml.files import compile_sources, load_sources
from flytemp.errors import InputError, NotFound, ProgramError
from flytemp.extras.tasks.shell import OutputLocation, ShellTask
from flytemp.layout import RootLayout
from flytemp.runtime.execute import execute
from flytemp.runtime.invocation import Invocation, TaskResult
from flytemp.spec.canonical import digest
from flytemp.spec.models import TaskSpec
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
from flytemp.task_types.shell import ScriptFailed
from flytemp.testing import task_mock

count = ShellTask(
    name="text.count",
    script="wc -l < {inputs.file} > {outputs.lines}; echo '{{counted}}' >&2",
    inputs=kwtypes(file=FlyteFile),
    output_locs=[OutputLocation(var="lines", var_type=int, location="lines.txt")],
)
repeat = ShellTask(
    name="text.repeat",
    script="""
    for i in $(seq {inputs.times}); do echo "{inputs.word}"; done > {outputs.text}
    mkdir -p {outputs.folder}
    cp {outputs.text} {outputs.folder}/copy.txt
    """,
    inputs=kwtypes(word=str, times=int),
    output_locs=[
        OutputLocation(var="text", var_type=FlyteFile, location="{inputs.word}.txt"),
        OutputLocation(var="folder", var_type=FlyteDirectory, location=Path("folder")),
    ],
    retries=2,
)


@workflow
def counted(word: str, times: int) -> int:
    made = repeat(word=word, times=times)
    return count(file=made.text)


@pytest.fixture(autouse=True)
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(**options: Any) -> ShellTask:
    return ShellTask(**{"name": "a.b", "script": "true", **options})


# --------------------------------------------------------------------------------------- plain calls


def test_call_leaves_the_current_directory_alone(working_directory: Path) -> None:
    result = repeat(word="hi", times=2)

    assert Path(result.text).read_text() == "hi\nhi\n"
    assert (Path(result.folder) / "copy.txt").read_text() == "hi\nhi\n"
    assert list(working_directory.iterdir()) == []


write = made(
    name="text.write",
    script="echo {inputs.word} > {outputs.text}",
    inputs={"word": str},
    output_locs=[OutputLocation("text", FlyteFile, "word.txt")],
)


def test_calls_do_not_overwrite_the_files_of_each_other() -> None:
    one, two = write(word="one"), write(word="two")

    assert (Path(one).read_text(), Path(two).read_text()) == ("one\n", "two\n")


def test_items_of_a_local_map_have_their_own_files() -> None:
    @workflow
    def written(words: list[str]) -> list[FlyteFile]:
        return map_task(write)(word=words)

    assert [Path(each).read_text() for each in written(words=["a", "b", "c"])] == ["a\n", "b\n", "c\n"]


def test_relative_path_of_an_input_belongs_to_the_caller(working_directory: Path) -> None:
    (working_directory / "in.txt").write_text("1\n2\n")

    assert count(file=FlyteFile("in.txt")) == 2


def test_workflow_passes_files_between_scripts() -> None:
    assert counted(word="hi", times=3) == 3


def test_script_without_outputs_returns_none(working_directory: Path) -> None:
    assert made(script=f"echo 1 > {working_directory}/here")() is None
    assert (working_directory / "here").read_text() == "1\n"


def test_mock_replaces_the_script_in_calls_and_workflows(working_directory: Path) -> None:
    file, folder = working_directory / "file", working_directory
    file.touch()
    with task_mock(count) as mock, task_mock(repeat) as made_mock:
        mock.return_value = 7
        made_mock.return_value = (FlyteFile(file), FlyteDirectory(folder))

        assert count(file=FlyteFile(file)) == 7
        assert counted(word="hi", times=3) == 7


def test_script_is_longer_than_an_argument_can_be() -> None:
    text = "x" * 200_000
    size = made(
        script="wc -c > {outputs.o} <<'END'\n{inputs.x}\nEND", inputs={"x": str}, output_locs=[OutputLocation("o", int, "out")]
    )

    assert size(x=text) == 200_001


@dataclass
class Point:
    x: int


@pytest.mark.parametrize(
    ("type_", "value", "text"),
    [
        (str, "a b", "a b"),
        (int, 3, "3"),
        (bool, True, "true"),
        (float, 1.5, "1.5"),
        (list[int], [1, 2], "[1,2]"),
        (Point, Point(1), '{"x":1}'),
        (str | None, None, ""),
    ],
)
def test_input_is_inserted_as_text(type_: Any, value: Any, text: str) -> None:
    locations = [OutputLocation("text", str, "out")]
    show = made(script="cat > {outputs.text} <<'END'\n{inputs.x}\nEND", inputs={"x": type_}, output_locs=locations)

    assert show(x=value) == text


def test_context_is_a_namespace_of_templates() -> None:
    show = made(script="echo {ctx.execution_id.project} > {outputs.o}", output_locs=[OutputLocation("o", str, "out")])

    assert show() == "local"


def test_context_of_a_call_has_the_task() -> None:
    show = made(script="echo {ctx.task_id.name} > out", output_locs=[OutputLocation("o", str, "out")])

    assert show() == "a.b"


def test_other_shell_runs_the_script() -> None:
    python = made(script="open('out', 'w').write('3')", shell=sys.executable, output_locs=[OutputLocation("o", int, "out")])

    assert python() == 3


def test_debug_prints_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    made(script="true {inputs.x}", inputs={"x": int}, debug=True)(x=5)

    assert capsys.readouterr().out == "true 5\n"


@pytest.mark.parametrize(("script", "number"), [("exit 3", r"\b3\b"), ("kill -9 $$", r"\b9\b")])
def test_failed_script_raises(script: str, number: str) -> None:
    with pytest.raises(ScriptFailed, match=number) as caught:
        made(script=script)()
    assert "task 'a.b'" in caught.value.__notes__[0]


def test_missing_output_is_named() -> None:
    with pytest.raises(NotFound, match="'o'"):
        made(output_locs=[OutputLocation("o", int, "nowhere")])()


def test_output_that_does_not_fit_its_type_is_refused() -> None:
    with pytest.raises(InputError, match="'o'"):
        made(script="echo x > out", output_locs=[OutputLocation("o", int, "out")])()


@pytest.mark.parametrize("place", ["/etc/hostname", "../script", "a/../../script"])
def test_input_that_moves_an_output_out_of_the_directory_is_refused(place: str, working_directory: Path) -> None:
    ran = working_directory / "ran"
    leak = made(script=f"touch {ran}", inputs={"place": str}, output_locs=[OutputLocation("o", FlyteFile, "{inputs.place}")])

    with pytest.raises(InputError, match=re.escape(place)):
        leak(place=place)
    assert not ran.exists()


@pytest.mark.parametrize(("link", "location"), [("folder", "folder/secret"), ("file", "file")])
def test_link_that_leads_out_of_the_directory_is_refused(link: str, location: str, working_directory: Path) -> None:
    (working_directory / "secret").write_text("s")
    target = working_directory if link == "folder" else working_directory / "secret"
    leak = made(script=f"ln -s {target} {link}", output_locs=[OutputLocation("o", str, location)])

    with pytest.raises(InputError, match=location):
        leak()


# --------------------------------------------------------------------------------------- definition


def test_script_file_is_read_when_the_task_is_defined(working_directory: Path) -> None:
    (working_directory / "s.sh").write_text("true")

    assert made(script=None, script_file="s.sh").script == "true"


def test_spec_has_the_script_and_no_loader() -> None:
    spec = task_document(repeat, None).task

    assert (spec.kind, spec.loader, spec.settings.retries.count) == ("shell", "", 2)
    assert spec.config["outputs"] == {"text": "{inputs.word}.txt", "folder": "folder"}
    assert [variable.name for variable in spec.interface.outputs] == ["text", "folder"]


def test_script_is_part_of_the_digest() -> None:
    assert digest(task_document(made(script="a"), None)) != digest(task_document(made(script="b"), None))


@pytest.mark.parametrize(
    "options",
    [
        {"script_file": "also"},
        {"script": None},
        {"script": None, "script_file": "nowhere.sh"},
        {"script": 5},
        {"shell": None},
        {"inputs": ["x"]},
        {"task_config": object()},
    ],
)
def test_malformed_option_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="ShellTask"):
        made(**options)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"script": "{inputs.y}"}, "{inputs.y}"),
        ({"script": "{outputs.y}"}, "{outputs.y}"),
        ({"script": "{HOME}"}, "{HOME}"),
        ({"script": "if {"}, "{"),
        ({"script": "{}"}, "{}"),
        ({"output_locs": [OutputLocation("o", int, "{inputs.y}")]}, "'o'"),
        ({"script": "{inputs.x.real}", "inputs": {"x": int}}, "{inputs.x.real}"),
        ({"script": "{inputs.x[0]}", "inputs": {"x": str}}, "{inputs.x[0]}"),
        ({"script": "{inputs.x:d}", "inputs": {"x": int}}, "'d'"),
        ({"script": "{ctx.nope}"}, "{ctx.nope}"),
        ({"script": "{ctx.task_id.nope}"}, "{ctx.task_id.nope}"),
        ({"script": "{ctx.secrets}"}, "{ctx.secrets}"),
        ({"script": "{ctx.checkpoint}"}, "{ctx.checkpoint}"),
        ({"output_locs": [OutputLocation("o", int, "{outputs.o}")]}, "{outputs.o}"),
        ({"output_locs": [OutputLocation("o", int, "/etc/hostname")]}, "/etc/hostname"),
        ({"output_locs": [OutputLocation("o", int, "a/../../b")]}, "a/../../b"),
        ({"inputs": {"x": bytes}}, "bytes"),
        ({"inputs": {"x": bytes | None}}, "bytes"),
        ({"inputs": {"x": list[FlyteFile]}}, "'x'"),
        ({"output_locs": [OutputLocation("o", list[FlyteFile], "o")]}, "'o'"),
        ({"resources": Resources(cpu=(2, 1))}, "cpu"),
    ],
)
def test_problem_is_reported_with_its_line(options: dict[str, Any], name: str) -> None:
    with pytest.raises(ProgramError) as caught:
        task_document(made(**options), None)
    (problem,) = caught.value.problems
    assert name in problem.message
    assert problem.hint
    assert problem.location is not None
    assert problem.location.file == __file__


def test_template_may_have_each_text_of_the_context() -> None:
    script = "{ctx.execution_id} {ctx.execution_date:%Y} {ctx.task_id.version} {ctx.working_directory} {ctx.raw_output_prefix}"

    assert task_document(made(script=script), None).task.config == {"script": script}


def test_defaults_in_a_yaml_document_do_not_change_its_digest(working_directory: Path) -> None:
    def documents(config: str) -> set[str]:
        (working_directory / "one.flytemp.yaml").write_text(
            f"kind: task\ntask: {{kind: shell, name: a.b, interface: {{}}, config: {config}}}\n"
        )
        return {digest(document) for document in compile_sources(load_sources(["one.flytemp.yaml"]), None)}

    short = documents("{script: 'true'}")
    assert documents("{script: 'true', debug: false, shell: /bin/sh, outputs: {}}") == short
    assert documents("{script: 'true', debug: true}") != short


# ------------------------------------------------------------------------------------------ runtime


def run(spec: TaskSpec, store: ObjectStore, inputs: dict[str, Any], **fields: Any) -> TaskResult:
    invocation = Invocation(
        store=store.uri, execution_root="executions/default/x/r", node="n0", attempt=1, try_=1, task=spec, bundle=None,
        inputs={name: {"literal": value} for name, value in inputs.items()}, raw_data_prefix=f"{store.uri}/data",
        project="p", domain="d", execution="x", workflow="w", version="v", started_at="", **fields,
    )  # fmt: skip
    result = execute(invocation, store, owner="test")
    assert result is not None
    return result


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(f"file://{tmp_path}/store")


def test_runtime_uploads_files_and_leaves_the_current_directory_alone(working_directory: Path, store: ObjectStore) -> None:
    result = run(task_document(repeat, None).task, store, {"word": "hi", "times": 2})

    assert result.outputs is not None
    uri = result.outputs["text"]["uri"]
    assert uri.startswith(f"{store.uri}/data/")
    assert store.read(uri.removeprefix(f"{store.uri}/")) == b"hi\nhi\n"
    assert not (working_directory / "hi.txt").exists()


def test_runtime_downloads_files(store: ObjectStore) -> None:
    store.write("data/in.txt", b"1\n2\n")

    result = run(task_document(count, None).task, store, {"file": {"uri": f"{store.uri}/data/in.txt", "format": ""}})

    assert result.outputs == {"lines": 2}


def test_failure_in_the_runtime_is_the_users_and_retried(store: ObjectStore) -> None:
    result = run(task_document(made(script="exit 4"), None).task, store, {})

    assert result.error is not None
    assert (result.error.kind, result.error.code, result.error.retryable) == ("USER", "ScriptFailed", True)
    assert store.exists(RootLayout("executions/default/x/r").result("n0", "1"))


def test_missing_output_in_the_runtime_is_not_retried(store: ObjectStore) -> None:
    result = run(task_document(made(output_locs=[OutputLocation("o", int, "nowhere")]), None).task, store, {})

    assert result.error is not None
    assert (result.error.kind, result.error.code, result.error.retryable) == ("USER", "NotFound", False)


def test_calls_of_a_map_share_a_try(store: ObjectStore) -> None:
    square = made(
        script="echo $(({inputs.x} * {inputs.x})) > out", inputs={"x": int}, output_locs=[OutputLocation("o", int, "out")]
    )
    items = ({"x": {"literal": 2}}, {"x": {"literal": 3}})

    assert run(task_document(square, None).task, store, {}, items=items).outputs == {"o": [4, 9]}


def test_call_of_a_map_does_not_have_the_output_of_the_call_before(store: ObjectStore) -> None:
    maybe = made(
        script="if [ {inputs.x} = 1 ]; then echo 1 > out; fi",
        inputs={"x": int},
        output_locs=[OutputLocation("o", int | None, "out")],
    )
    items = ({"x": {"literal": 1}}, {"x": {"literal": 2}})

    assert run(task_document(maybe, None).task, store, {}, items=items).outputs == {"o": [1, None]}


def test_output_outside_the_directory_fails_the_task_for_good(store: ObjectStore) -> None:
    leak = made(inputs={"x": str}, output_locs=[OutputLocation("o", FlyteFile, "{inputs.x}")])

    result = run(task_document(leak, None).task, store, {"x": "/etc/hostname"})

    assert result.error is not None
    assert (result.error.kind, result.error.code, result.error.retryable) == ("USER", "InputError", False)


# ------------------------------------------------------------------------------------ in workflows


def test_shell_task_compiles_in_a_workflow_a_map_and_a_dynamic_task() -> None:
    @task
    def words() -> list[str]:
        return ["a", "b"]

    @dynamic
    def generated(word: str) -> int:
        return count(file=repeat(word=word, times=1).text)

    one = made(name="text.one", inputs={"word": str}, output_locs=[OutputLocation("o", str, "out")], script="true")

    @workflow
    def all_kinds() -> tuple[list[str], int]:
        return map_task(one)(word=words()), generated(word="a")

    assert "text.one" in compile_entity(all_kinds).model_dump()["tasks"]


PROGRAM = """
from flytemp import kwtypes, workflow
from flytemp.extras.tasks.shell import OutputLocation, ShellTask

double = ShellTask(
    name="doubling.double",
    script="echo $(({inputs.x} * 2)) > {outputs.y}; echo doubled {inputs.x}",
    inputs=kwtypes(x=int),
    output_locs=[OutputLocation(var="y", var_type=int, location="y.txt")],
)

@workflow
def doubled(x: int) -> int:
    return double(x=double(x=x))
"""


def test_local_run_of_a_program_with_shell_tasks(working_directory: Path) -> None:
    (working_directory / "doubling.py").write_text(PROGRAM)
    command = [Path(sys.executable).with_name("flytemp"), "run", "--local", "doubling.py", "doubled", "--x", "3"]

    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=working_directory)

    assert done.returncode == 0, done.stderr
    assert "12" in done.stdout.split()
    assert "doubled 6" in done.stdout + done.stderr


def test_shell_task_in_yaml(working_directory: Path) -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/how-to/shell-tasks.md").read_text()
    (working_directory / "count.flytemp.yaml").write_text(page.partition("```yaml\n")[2].partition("```")[0])
    (working_directory / "text.txt").write_text("1\n2\n3\n")
    command = [Path(sys.executable).with_name("flytemp"), "run", "--local", "count.flytemp.yaml", "words.count"]

    done = subprocess.run([*command, "--text", "text.txt"], capture_output=True, text=True, check=False, cwd=working_directory)

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["lines", "3"]
