"""Tests of the wire protocol: the JSON of messages, and the exchange between processes of different versions."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass, fields, is_dataclass

import pytest

from flytemp.errors import CorruptData
from flytemp.protocol import activities, io_requests, workflow
from flytemp.protocol.activities import RunTaskArgument, StatePage, TaskOutputs
from flytemp.protocol.message import UNSET, Activity, Message, Update
from flytemp.protocol.workflow import (
    AnswerRequest,
    ChildClosed,
    Continuation,
    ContinuedArgument,
    ExecutionSettings,
    ParentMessage,
    Pause,
    Resolved,
    RetryRequest,
    RowsMemo,
)

RUN_TASK = RunTaskArgument("root", "n0.n1", "demo.wf", "demo.task", 1, 2, {"a": {"l": 1}})
RESOLVED = Resolved("root", "e", "p", "d", "demo.wf", "v1", ExecutionSettings("q"), 1, inputs={"a": None})

DECLARED = [value for module in (activities, io_requests, workflow) for value in vars(module).values()]
MESSAGES = [kind for kind in DECLARED if inspect.isclass(kind) and issubclass(kind, Message) and kind is not Message]


def test_fields_with_their_default_are_omitted() -> None:
    assert RUN_TASK.to_json() == {
        "execution": "root", "node": "n0.n1", "graph": "demo.wf", "task": "demo.task", "attempt": 1, "try_": 2,
        "inputs": {"a": {"l": 1}},
    }  # fmt: skip


def test_message_is_the_same_after_writing_and_reading() -> None:
    continued = ContinuedArgument(Continuation(RESOLVED, 3, 1, "run"))
    for message in (
        RUN_TASK,
        continued,
        ChildClosed("n0", 1, "SUCCEEDED", counts=(3, 1)),
        ParentMessage(pause=Pause("a@b", "lunch")),
        StatePage("root", 2, closed=True),
    ):
        assert type(message).from_json(json.loads(json.dumps(message.to_json()))) == message


def test_null_is_a_value_where_the_default_is_unset() -> None:
    assert AnswerRequest.from_json({"gate": "g", "value": None}).value is None
    assert AnswerRequest.from_json({"gate": "g", "approved": True}).value is UNSET
    assert RowsMemo([], paused=None).to_json() == {"rows": [], "paused": None}
    assert RowsMemo([]).to_json() == {"rows": []}


@dataclass(frozen=True, slots=True)
class NewerTaskOutputs(Message):
    """`TaskOutputs` of a later version, which has a field more."""

    size: int
    outputs: dict[str, int] | None = None
    decks: tuple[str, ...] = ()


def test_field_of_a_newer_version_is_ignored() -> None:
    newer = NewerTaskOutputs(3, {"o0": 1}, decks=("report.html",))
    assert TaskOutputs.from_json(newer.to_json()) == TaskOutputs(3, {"o0": 1})


def test_field_that_an_older_version_does_not_write_has_its_default() -> None:
    assert NewerTaskOutputs.from_json(TaskOutputs(3).to_json()) == NewerTaskOutputs(3)


def test_unknown_fields_of_nested_messages_are_ignored() -> None:
    data = RESOLVED.to_json()
    data["settings"]["a_later_setting"] = 1
    assert Resolved.from_json(data) == RESOLVED


def test_missing_required_field_is_reported_by_name() -> None:
    with pytest.raises(CorruptData) as caught:
        TaskOutputs.from_json({"outputs": {}})
    assert "size" in caught.value.message


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (AnswerRequest, 5),
        (AnswerRequest, {"gate": 5}),
        (AnswerRequest, {"gate": "g", "approved": 1}),
        (AnswerRequest, {"gate": "g", "reason": {"a": 1}}),
        (AnswerRequest, {"gate": "g", "reason": "x" * 5_001}),
        (AnswerRequest, {"gate": "g", "by": "\ud800"}),
        (RetryRequest, {"nodes": 5}),
        (RetryRequest, {"nodes": [5]}),
        (ChildClosed, {"node": "n0", "attempt": True, "phase": "FAILED"}),
        (ChildClosed, {"node": "n0", "attempt": 1, "phase": "FAILED", "counts": [1]}),
        (ChildClosed, {"node": "n0", "attempt": 1, "phase": "FAILED", "error": "no"}),
        (ParentMessage, {"pause": 5}),
        (ExecutionSettings, {"task_queue": "q", "heartbeat_seconds": "2"}),
        (Resolved, {**RESOLVED.to_json(), "settings": []}),
    ],
)
def test_field_of_another_json_type_is_refused(kind: type[Message], data: object) -> None:
    with pytest.raises(CorruptData):
        kind.from_json(data)


def test_null_stands_for_the_default_of_a_field_that_is_not_nullable() -> None:
    assert AnswerRequest.from_json({"gate": "g", "reason": None, "approved": None}) == AnswerRequest("g")


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
def test_every_message_is_an_immutable_dataclass(kind: type[Message]) -> None:
    assert is_dataclass(kind)
    assert kind.__dataclass_params__.frozen
    assert "__dict__" not in dir(kind)
    assert len({field.name for field in fields(kind)}) == len(fields(kind))


def test_names_are_unique() -> None:
    for declaration in (Activity, Update):
        names = [one.name for one in DECLARED if isinstance(one, declaration)]
        assert len(names) == len(set(names)) > 1
