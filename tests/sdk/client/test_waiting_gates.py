"""Gates without a server: the gates of a program, the types of answers, and Python values as answers."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flytemp.client.waiting_gates import answer_literal, declared_gates, gate_type, gates_of
from flytemp.errors import TypeMismatch
from flytemp.literals.types import BlobType, LiteralType, SimpleType
from flytemp.names import EntityId, EntityKind
from flytemp.records.models import Execution, GateAnswer, GateInfo, NodeExecution, Phase
from flytemp.registry import Registry
from flytemp.spec.models import (
    BranchCase,
    BranchSpec,
    GateSpec,
    Interface,
    NodeSpec,
    WorkflowDocument,
    WorkflowSpec,
)
from flytemp.store import open_store

FLOAT = SimpleType(kind="float")
TEXT = SimpleType(kind="string")


def gate(identifier: str, name: str, type_: LiteralType | None = None) -> NodeSpec:
    """Return a gate. The type of an input is that of its answer, the type of an approval that of the approved value."""
    kind, type_ = ("approve", TEXT) if type_ is None else ("input", type_)
    return NodeSpec(id=identifier, kind="gate", gate=GateSpec.model_validate({"kind": kind, "name": name, "type": type_}))


def program() -> WorkflowDocument:
    """Return a program with gates in the workflow, in nested branches and in a sub-workflow; two have the same name."""
    inner = BranchSpec(cases=(BranchCase(node=gate("n0", "deep", TEXT)),))
    outer = BranchSpec(cases=(BranchCase(node=NodeSpec(id="n0", kind="branch", branch=inner)), BranchCase(fail="no")))
    nodes = (gate("n0", "release"), gate("n1", "rate", FLOAT), NodeSpec(id="n2", kind="branch", branch=outer))
    sub = (gate("n0", "rate", FLOAT), gate("n1", "either", FLOAT), gate("n2", "either", TEXT))
    return WorkflowDocument(
        name="wf.main",
        workflows={
            "wf.main": WorkflowSpec(name="wf.main", interface=Interface(), nodes=nodes),
            "wf.sub": WorkflowSpec(name="wf.sub", interface=Interface(), nodes=sub),
        },
    )


class OneProgram:
    """Return a registry with the program as version v1."""

    def get(self, entity: EntityId) -> tuple[EntityId, WorkflowDocument]:
        assert entity == EntityId(EntityKind.WORKFLOW, "default", "development", "wf.main", "v1")
        return entity, program()


def execution(*nodes: NodeExecution, **more: Any) -> Execution:
    return Execution(name="e", project="default", domain="development", phase=Phase.RUNNING, nodes=list(nodes), **more)


def node(path: str, phase: Phase, info: GateInfo | None) -> NodeExecution:
    return NodeExecution(id=path, name=path, kind="gate", target="", phase=phase, gate=info)


def test_declared_gates_include_branches_and_sub_workflows() -> None:
    assert [spec.name for spec in declared_gates(program())] == ["release", "rate", "deep", "rate", "either", "either"]


@pytest.mark.parametrize(
    ("name", "type_"), [("rate", FLOAT), ("deep", TEXT), ("release", None), ("either", None), ("unknown", None)]
)
async def test_the_type_of_a_future_gate_is_read_from_the_program(name: str, type_: LiteralType | None) -> None:
    asked = execution(workflow="wf.main", version="v1")

    assert await gate_type(asked, name, OneProgram()) == type_  # type: ignore[arg-type]


async def test_the_type_of_a_waiting_gate_is_read_from_its_node(tmp_path: Path) -> None:
    reached = execution(node("n3.n0", Phase.RUNNING, GateInfo(name="made", kind="input", type={"kind": "float"})))
    registry = Registry(open_store(str(tmp_path)))

    assert await gate_type(reached, "made", registry) == FLOAT
    assert await gate_type(reached, "n3.n0", registry) == FLOAT
    assert await gate_type(execution(workflow="wf.gone", version="v1"), "made", registry) is None


def test_waiting_gates_are_first_and_future_gates_are_left_out() -> None:
    answered = GateInfo(name="a", kind="approve", answer=GateAnswer(by="me", approved=True))
    listed = gates_of(
        execution(
            node("n0", Phase.SUCCEEDED, answered),
            node("n1", Phase.QUEUED, None),
            node("n2", Phase.RUNNING, GateInfo(name="b", kind="approve")),
            node("n3", Phase.TIMED_OUT, GateInfo(name="c", kind="approve")),
        )
    )

    assert [one.id for one in listed] == ["n2", "n0"]


class Color(enum.Enum):
    RED = "red"


class Level(enum.StrEnum):
    HIGH = "high"


@dataclass
class Point:
    x: int
    at: datetime


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        (None, None),
        (True, True),
        ("text", "text"),
        (float("nan"), "NaN"),
        (date(2026, 1, 31), "2026-01-31"),
        (timedelta(hours=1, minutes=30), "PT1H30M"),
        (Color.RED, "red"),
        (Level.HIGH, "high"),
        ([Color.RED, {"k": (1, date(2026, 1, 31))}], ["red", {"k": [1, "2026-01-31"]}]),
        (Point(3, datetime(2026, 1, 31, tzinfo=UTC)), {"x": 3, "at": "2026-01-31T00:00:00Z"}),
        (Path("here"), "here"),
    ],
)
def test_python_values_become_literals(value: object, literal: object, tmp_path: Path) -> None:
    assert answer_literal(value, None, open_store(str(tmp_path))) == literal


def test_an_answer_of_known_type_is_checked_and_its_files_are_uploaded(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    file = tmp_path / "limits.csv"
    file.write_text("1,2")

    assert answer_literal(3, FLOAT, store) == 3.0
    with pytest.raises(TypeMismatch):
        answer_literal("three", FLOAT, store)
    uploaded = answer_literal(file, BlobType(kind="file", format="csv"), store)
    assert uploaded["uri"].startswith(store.uri_of("uploads"))
