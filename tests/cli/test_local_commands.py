"""Commands without a server: check, run --local, register, inputs of launch, list, get, graph, config."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from flytemp.names import EntityId, EntityKind
from flytemp.registry import Registry
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
from tests.messages.golden import check_golden

from .conftest import Cli

PROGRAM = '''
import subprocess
from dataclasses import dataclass
from typing import NamedTuple

from flytemp import LaunchPlan, task, workflow
from flytemp.types.file import FlyteFile

print("this module is imported")


@dataclass
class Point:
    x: int
    y: int


class Sized(NamedTuple):
    size: int
    head: str


@task
def scale(point: Point, by: int) -> Point:
    """Multiply two numbers.

    Args:
        by: the factor
    """
    print("scaling")
    subprocess.run(["echo", "from a child process"], check=True)
    return Point(point.x * by, point.y * by)


@task(retries=1)
def refuse(x: int) -> int:
    raise ValueError(f"{x} is not welcome")


@task
def measure(data: FlyteFile) -> Sized:
    with open(data) as file:
        text = file.read()
    return Sized(len(text), text[:5])


@workflow
def scaled(point: Point, by: int = 2) -> Point:
    """Scale a point."""
    return scale(point=scale(point=point, by=by), by=by)


@workflow
def refused(x: int) -> int:
    return refuse(x=x)


@workflow
def measured(data: FlyteFile) -> Sized:
    return measure(data=data)


tripled = LaunchPlan.get_or_create(scaled, name="tripled", default_inputs={"point": Point(1, 1)}, fixed_inputs={"by": 3})
'''


@pytest.fixture
def program(project: Path) -> Path:
    folder = project / "src"
    folder.mkdir()
    (folder / "shapes.py").write_text(PROGRAM)
    return folder / "shapes.py"


@pytest.fixture
def store(project: Path) -> ObjectStore:
    return open_store(str(project / ".flytemp" / "store"))


class TestRunLocal:
    @pytest.mark.parametrize(
        ("words", "outputs"),
        [
            (["scaled", "--point", '{"x": 1, "y": 2}'], {"o0": {"x": 4, "y": 8}}),
            (["shapes.scaled", "--point", '{"x": 1, "y": 2}', "--by", "3"], {"o0": {"x": 9, "y": 18}}),
            (["scale", "--point", '{"x": 1, "y": 2}', "--by=-1"], {"o0": {"x": -1, "y": -2}}),
            (["tripled"], {"o0": {"x": 9, "y": 9}}),
            (["measured", "--data", "data.txt"], {"size": 6, "head": "hello"}),
        ],
    )
    def test_workflows_tasks_and_launch_plans(
        self, words: list[str], outputs: object, flytemp: Cli, program: Path, project: Path
    ) -> None:
        (project / "data.txt").write_text("hello!")

        result = flytemp("run", str(program), *words, "--local", "-o", "json")

        assert result.code == 0, result.err
        execution = json.loads(result.out)
        assert (execution["phase"], execution["outputs"]) == ("SUCCEEDED", outputs)

    def test_output_of_user_code_goes_to_stderr(self, program: Path, project: Path) -> None:
        command = [sys.executable, "-m", "flytemp_cli", "run", str(program), "tripled", "--local"]

        done = subprocess.run(command, capture_output=True, text=True, timeout=60)

        assert done.returncode == 0
        assert done.stdout == 'o0  {"x": 9, "y": 9}\n'
        for expected in ("this module is imported", "scaling", "from a child process", "SUCCEEDED  n0 scale"):
            assert expected in done.stderr

    def test_failure_shows_the_users_line_with_exit_code_3(self, flytemp: Cli, program: Path) -> None:
        result = flytemp("run", str(program), "refused", "--x", "7", "--local")

        assert result.code == 3
        assert result.out == ""
        assert "ValueError: 7 is not welcome" in result.err
        assert "attempt 2" in result.err

    def test_texts_of_invalid_command_lines(self, flytemp: Cli, program: Path, project: Path) -> None:
        point = ["--point", '{"x": 1, "y": 1}']
        lines = [
            ["scaled"],
            ["scaled", "--pint", "1"],
            ["scaled", "--point", "[]"],
            ["scaled", "--point", '{"x": 1}'],
            ["measured", "--data", "nothing.txt"],
            ["measured", "--data", "src"],
            ["scaled", *point, "--name", "../x"],
            ["scaled", *point, "--timeout", "3"],
            ["scaldd"],
            [],
        ]

        def refused(words: list[str]) -> str:
            result = flytemp("run", str(program), *words, "--local")
            assert result.out == ""
            return f"exit code {result.code}\n{result.err}"

        cases = {" ".join(["run", "FILE", *words]): partial(refused, words) for words in lines}
        check_golden("local-command-lines", cases, {str(project.parent): "FOLDER"})

    def test_help_shows_the_interface(self, flytemp: Cli, program: Path) -> None:
        result = flytemp("run", str(program), "scaled", "--help")

        assert result.code == 0
        for expected in ("Scale a point.", "--point Point", "(x: int, y: int)  [required]", "--by int", "[default: 2]"):
            assert expected in result.out

    def test_name_of_the_only_workflow_is_optional(self, flytemp: Cli, project: Path) -> None:
        (project / "one.py").write_text(
            "from flytemp import task, workflow\n@task\ndef f(x: int) -> int:\n    return x\n"
            "@workflow\ndef w(x: int = 5) -> int:\n    return f(x=x)\n"
        )

        assert flytemp("run", "one.py", "--local").out == "o0  5\n"
        assert flytemp("run", "one.py", "--x", "6", "--local").out == "o0  6\n"


class TestWithoutTemporal:
    NOWHERE = ("--address", "127.0.0.1:1")

    def test_failed_run_stores_nothing(self, flytemp: Cli, program: Path, project: Path) -> None:
        (project / "data.txt").write_text("hello!")

        result = flytemp("run", str(program), "measured", "--data", "data.txt", *self.NOWHERE)

        assert (result.code, result.out) == (1, "")
        assert "127.0.0.1:1" in result.err
        assert not list(project.rglob("registry"))
        assert not list(project.rglob("uploads"))

    def test_invalid_input_is_reported_first(self, flytemp: Cli, program: Path) -> None:
        result = flytemp("run", str(program), "measured", "--data", "nothing.txt", *self.NOWHERE)

        assert result.code == 2
        assert "'nothing.txt'" in result.err


class TestCheck:
    def test_valid_program(self, flytemp: Cli, program: Path) -> None:
        result = flytemp("check", str(program.parent))

        assert result.code == 0
        assert "workflow     shapes.scaled" in result.out.splitlines()
        check_golden("valid-programs", {"flytemp check": partial(str, result.err)})

    BAD = (
        "from flytemp import task, workflow\n@task\ndef f(x: int) -> str:\n    return ''\n"
        "@workflow\ndef w(x: int) -> int:\n    return f(x=f(x=x))\n@workflow\ndef v() -> str:\n    return f(y=1)\n"
    )

    def test_problems_have_lines(self, flytemp: Cli, project: Path) -> None:
        (project / "bad.py").write_text(self.BAD)

        result = flytemp("check", "bad.py")

        assert (result.code, result.out) == (1, "")
        assert result.err.count("bad.py:") == 3
        assert "bad.py:7: " in result.err
        assert "bad.py:10: " in result.err
        assert "Traceback" not in result.err

    def test_problems_as_json(self, flytemp: Cli, project: Path) -> None:
        (project / "bad.py").write_text(self.BAD)

        result = flytemp("check", "bad.py", "-o", "json")

        assert result.code == 1
        assert {problem["line"] for problem in json.loads(result.out)["problems"]} >= {7, 10}

    def test_module_with_an_import_error(self, flytemp: Cli, project: Path) -> None:
        (project / "broken.py").write_text("x = 1\nraise RuntimeError('at import')\n")

        short, long = flytemp("check", "broken.py"), flytemp("check", "broken.py", "-v")

        assert short.code == long.code == 1
        assert "broken.py:2: " in short.err
        assert "RuntimeError: at import" in short.err
        assert "Traceback" not in short.err
        assert "raise RuntimeError('at import')" in long.err


class TestRegister:
    def test_new_then_unchanged(self, flytemp: Cli, program: Path) -> None:
        first = flytemp("register", "src", "--version", "v1")
        second = flytemp("register", "src", "--version", "v1")

        assert first.code == second.code == 0
        assert "workflow     shapes.scaled    v1       new" in first.out.splitlines()
        assert "workflow     shapes.scaled    v1       unchanged" in second.out.splitlines()
        assert "shapes.py" in first.err

    def test_default_version_depends_on_the_content(self, flytemp: Cli, program: Path) -> None:
        versions = [json.loads(flytemp("register", "src", "-o", "json").out)["version"] for _ in range(2)]
        program.write_text(PROGRAM + "\n# other\n")
        other = json.loads(flytemp("register", "src", "-o", "json").out)["version"]

        assert versions[0] == versions[1] != other

    def test_dry_run_stores_nothing(self, flytemp: Cli, program: Path, store: ObjectStore) -> None:
        result = flytemp("register", "src", "--dry-run", "-o", "yaml")

        value = yaml.safe_load(result.out)
        assert result.code == 0
        assert {entity["status"] for entity in value["entities"]} == {"new"}
        assert value["bundle"]["files"] == ["shapes.py"]
        assert Registry(store).list(EntityKind.WORKFLOW, "default", "development") == []

    @pytest.mark.parametrize("dry", [True, False])
    def test_conflict_shows_the_difference_and_registers_nothing(
        self, dry: bool, flytemp: Cli, program: Path, store: ObjectStore
    ) -> None:
        flytemp("register", "src", "--version", "v1")
        program.write_text(PROGRAM.replace("by: int = 2", "by: int = 4") + "\n@task\ndef extra() -> int:\n    return 1\n")

        result = flytemp("register", "src", "--version", "v1", *(["--dry-run"] if dry else []))

        assert result.code == 1
        assert "workflow     shapes.scaled    v1       conflict" in result.out.splitlines()
        assert "- 2" in result.err
        assert "+ 4" in result.err
        assert "hint: " in result.err
        extra = EntityId(EntityKind.TASK, "default", "development", "shapes.extra", "v1")
        assert extra.name not in [one.name for one in Registry(store).list(EntityKind.TASK, "default", "development")]


class TestRegisteredEntities:
    @pytest.fixture(autouse=True)
    def registered(self, flytemp: Cli, program: Path) -> None:
        assert flytemp("register", "src", "--version", "v1").code == 0

    def test_lists(self, flytemp: Cli) -> None:
        assert flytemp("list", "workflows", "-o", "name").out.splitlines() == [
            "shapes.measured",
            "shapes.refused",
            "shapes.scaled",
        ]
        assert "tripled" in flytemp("list", "launch-plans", "-o", "name").out.splitlines()
        assert json.loads(flytemp("list", "tasks", "-o", "json").out)[0]["version"] == "v1"
        assert flytemp("list", "workflows", "--project", "other").out == ""

    @pytest.mark.parametrize(
        ("words", "urn"),
        [
            (["workflow", "scaled"], "wf:default:development:shapes.scaled:v1"),
            (["workflow", "shapes.scaled", "--version", "v1"], "wf:default:development:shapes.scaled:v1"),
            (["task", "scale"], "tsk:default:development:shapes.scale:v1"),
            (["launch-plan", "tripled"], "lp:default:development:tripled:v1"),
            (["entity", "scaled"], "lp:default:development:shapes.scaled:v1"),
            (["entity", "wf:default:development:shapes.scaled"], "wf:default:development:shapes.scaled:v1"),
        ],
    )
    def test_get(self, words: list[str], urn: str, flytemp: Cli) -> None:
        assert flytemp("get", *words, "-o", "name").out == f"{urn}\n"
        assert json.loads(flytemp("get", *words, "-o", "json").out)["urn"] == urn
        assert urn in flytemp("get", *words).out

    def test_get_shows_the_interface(self, flytemp: Cli) -> None:
        lines = flytemp("get", "workflow", "scaled").out.splitlines()

        assert "  point: Point" in lines
        assert "  by: int = 2" in lines

    def test_get_shows_fixed_inputs(self, flytemp: Cli) -> None:
        out = flytemp("get", "launch-plan", "tripled").out

        assert "by: int" not in out
        assert "  by  3" in out.splitlines()

    def test_launch_help_shows_the_inputs(self, flytemp: Cli) -> None:
        out = flytemp("launch", "tripled", "--help").out

        assert "--point Point" in out
        assert "--by" not in out

    def test_launch_refuses_fixed_inputs(self, flytemp: Cli) -> None:
        result = flytemp("launch", "tripled", "--by", "4")

        assert result.code == 2
        check_golden("fixed-inputs", {"a fixed input": partial(str, result.err)})

    @pytest.mark.parametrize("source", [["scaled"], ["src/shapes.py", "scaled"], ["tripled"]])
    def test_graphs(self, source: list[str], flytemp: Cli) -> None:
        assert flytemp("graph", *source).out.startswith("flowchart TD\n")
        assert flytemp("graph", *source, "-o", "dot").out.startswith('digraph "shapes.scaled" {')
        ElementTree.fromstring(flytemp("graph", *source, "-o", "svg").out)
        assert len(json.loads(flytemp("graph", *source, "-o", "json").out)["nodes"]) == 2


class TestConfig:
    def test_every_value_has_an_origin(self, flytemp: Cli, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (project / "flytemp.toml").write_text('project = "mine"\n[worker]\nslots = 3\n')
        monkeypatch.setenv("FLYTEMP_DOMAIN", "staging")

        result = flytemp("config", "view", "--namespace", "ns", "-o", "json")

        rows = {row["key"]: (row["value"], row["origin"]) for row in json.loads(result.out)}
        assert rows["project"] == ("mine", f"flytemp.toml ({project / 'flytemp.toml'})")
        assert rows["domain"] == ("staging", "environment FLYTEMP_DOMAIN")
        assert rows["namespace"] == ("ns", "--namespace")
        assert rows["worker.slots"][0] == "3"
        assert rows["address"] == ("localhost:7233", "default")

    def test_secrets_are_not_shown(self, flytemp: Cli, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (project / "temporal.toml").write_text('[profile.prod]\naddress = "prod:7233"\napi_key = "sesame"\n')
        monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(project / "temporal.toml"))
        monkeypatch.setenv("TEMPORAL_API_KEY", "sesame")

        result = flytemp("config", "view", "--profile", "prod", "--store", "s3://me:sesame@bucket/prefix")

        assert "s3://***@bucket/prefix" in result.out
        assert result.code == 0
        assert "prod:7233" in result.out
        assert "sesame" not in result.out + result.err

    def test_global_options_before_and_after_the_command(self, flytemp: Cli) -> None:
        before = flytemp("-o", "json", "--project", "a", "config", "view")
        after = flytemp("config", "view", "--project", "a", "-o", "json")
        both = flytemp("-o", "yaml", "config", "--project", "b", "view", "--project", "a", "-o", "json")

        assert before == after == both
        assert json.loads(before.out)[0] == {"key": "project", "value": "a", "origin": "--project"}

    @pytest.mark.parametrize(
        ("flags", "environment", "coloured"),
        [
            ([], {}, False),
            (["--color", "always"], {"NO_COLOR": "1"}, True),
            (["--color", "never"], {}, False),
        ],
    )
    def test_colours(
        self,
        flags: list[str],
        environment: dict[str, str],
        coloured: bool,
        flytemp: Cli,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

        assert ("\x1b[" in flytemp("config", "view", *flags).out) is coloured


def test_version(flytemp: Cli) -> None:
    result = flytemp("version", "-o", "json")

    assert flytemp("--version").out == f"flytemp {json.loads(result.out)['flytemp']}\n"
    assert "temporalio" in json.loads(result.out)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, flytemp: Cli) -> None:
    result = flytemp("completion", shell)

    assert result.code == 0
    assert f"_FLYTEMP_COMPLETE={shell}_complete" in result.out
