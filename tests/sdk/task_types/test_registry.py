"""Registry of task types, and a type that a distribution offers by an entry point."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flytemp.errors import AlreadyExists, ConfigError, NotFound
from flytemp.literals.types import SimpleType
from flytemp.runtime.execute import execute
from flytemp.runtime.invocation import Invocation, TaskResult
from flytemp.spec.models import Interface, TaskDocument, TaskSpec, Variable
from flytemp.spec.typecheck import document_problems
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
from flytemp.task_types import LiteralCall, TaskType, find_task_type, register, registry, task_type, task_type_problems

PLUGIN = """
from flytemp.errors import Problem
from flytemp.task_types import TaskType

class Greeting(TaskType):
    kind = "greeting"

    def problems(self, task):
        if "greeting" not in task.config:
            yield Problem("has no greeting", hint="config: {greeting: Hello}")

    def prepare(self, run):
        return lambda literals: {"text": f"{run.spec.config['greeting']}, {literals['name']}!"}
"""
TEXT = SimpleType(kind="string")


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the types of these tests out of other tests."""
    monkeypatch.setattr(registry, "_types", {})


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A distribution with a task type, as an installation leaves it on ``sys.path``."""
    (tmp_path / "greetings.py").write_text(PLUGIN)
    metadata = tmp_path / "greetings-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: greetings\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[flytemp.task_types]\ngreeting = greetings:Greeting\nbroken = greetings:missing\nwrong = greetings:Greeting\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "greeting"
    sys.modules.pop("greetings", None)


def greeting(config: Mapping[str, Any]) -> TaskSpec:
    interface = Interface(inputs=(Variable(name="name", type=TEXT),), outputs=(Variable(name="text", type=TEXT),))
    return TaskSpec(kind="greeting", name="m.greet", interface=interface, config=dict(config))


def run(task: TaskSpec, store: ObjectStore) -> TaskResult | None:
    invocation = Invocation(
        store=store.uri, execution_root="executions/default/x/r", node="n0", attempt=1, try_=1, task=task, bundle=None,
        inputs={"name": {"literal": "world"}}, raw_data_prefix=f"{store.uri}/data", project="p", domain="d", execution="x",
        workflow="w", version="v", started_at="",
    )  # fmt: skip
    return execute(invocation, store, owner="test")


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(f"file://{tmp_path}/store")


@pytest.mark.parametrize("kind", ["python", "dynamic", "container", "shell"])
def test_built_in_type_is_loaded_once(kind: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(task_type, [kind] * 20))
    assert [one.kind for one in found] == [kind]


def test_type_of_a_distribution_checks_and_runs_its_tasks(plugin: str, store: ObjectStore) -> None:
    task = greeting({"greeting": "Hello"})

    assert document_problems(TaskDocument(task=task)) == []
    assert [problem.message for problem in task_type_problems(greeting({}))] == ["has no greeting"]
    result = run(task, store)
    assert result is not None
    assert result.outputs == {"text": "Hello, world!"}


def test_task_of_a_type_that_is_not_installed_fails_for_good(store: ObjectStore) -> None:
    task = greeting({}).model_copy(update={"kind": "not-installed"})

    (problem,) = document_problems(TaskDocument(task=task))
    assert "'not-installed'" in problem.message
    assert "python, shell" in (problem.hint or "")
    result = run(task, store)
    assert result is not None
    assert result.error is not None
    assert (result.error.kind, result.error.code, result.error.retryable) == ("USER", "NotFound", False)
    with pytest.raises(NotFound):
        task_type("not-installed")


@pytest.mark.parametrize("kind", ["broken", "wrong"])
def test_entry_point_that_names_no_type_of_the_kind_is_refused(plugin: str, kind: str) -> None:
    with pytest.raises(ConfigError):
        find_task_type(kind)


class Own(TaskType):
    kind = "own"

    def prepare(self, run: Any) -> LiteralCall:
        return dict


class Python(Own):
    kind = "python"


class Other(Own):
    pass


def test_program_registers_a_type() -> None:
    own = Own()
    register(own)
    register(Own())  # the same module may be imported twice

    assert isinstance(task_type("own"), Own)
    for taken in (Python(), Other()):
        with pytest.raises(AlreadyExists):
            register(taken)
