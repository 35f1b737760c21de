"""Tasks that are announced before the server knows of them: begun at once, and looked for when their activities do not come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflow.v1 import PendingActivityInfo, PendingWorkflowTaskInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from flytemp.errors import NotFound
from flytemp.runtime.invocation import Invocation
from flytemp.store.object_store import ObjectStore
from flytemp_activities import early_start
from flytemp_activities.backend import TryKey, key_of
from flytemp_activities.early_start import Announcement, EarlyStarter
from tests.activities.blocked_tasks import HeldBackend
from tests.sdk.runtime.project import Project

RUN = ("workflow", "run-1")
SCHEDULED, STARTED, CANCELLING = (
    PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED,
    PendingActivityState.PENDING_ACTIVITY_STATE_STARTED,
    PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED,
)
AWAY = RPCError("away", RPCStatusCode.UNAVAILABLE, b"")


class Described:
    """As `WorkflowExecutionDescription`, as far as it is asked."""

    def __init__(
        self, *, run_id: str = RUN[1], status: WorkflowExecutionStatus = WorkflowExecutionStatus.RUNNING, decides: bool = False,
        **states: PendingActivityState.ValueType,
    ) -> None:  # fmt: skip
        self.run_id, self.status = run_id, status
        self.raw_description = DescribeWorkflowExecutionResponse(
            pending_activities=[PendingActivityInfo(activity_id=name, state=state) for name, state in states.items()],
            pending_workflow_task=PendingWorkflowTaskInfo() if decides else None,
        )


class Temporal:
    """Answers from a list; the last answer stays."""

    def __init__(self, answers: list[Described | RPCError]) -> None:
        self.answers = answers
        self.asked = 0

    def get_workflow_handle(self, workflow_id: str) -> Temporal:
        assert workflow_id == RUN[0]
        return self

    async def describe(self) -> Described:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, RPCError):
            raise answer
        return answer


class Detached:
    """Takes over what goes on for now."""

    def __init__(self) -> None:
        self.watched: list[tuple[TryKey, str, str]] = []

    def watch(self, key: TryKey, workflow_id: str, run_id: str) -> None:
        self.watched.append((key, workflow_id, run_id))


class Trial:
    """`EarlyStarter`, with everything around it."""

    def __init__(self, project: Project, *answers: Described | RPCError, slots: int | None = None) -> None:
        self.project = project
        self.backend, self.temporal, self.detached = HeldBackend(), Temporal(list(answers or (AWAY,))), Detached()
        self.root = key_of(self._invocation("n0"))[0]
        self.may_load = asyncio.Event()
        self.may_load.set()
        self.announced = EarlyStarter(self.backend, self.temporal, self.detached, self._load, slots)  # type: ignore[arg-type]

    async def _load(self, argument: dict[str, Any]) -> Invocation:
        await self.may_load.wait()
        return self._invocation(argument["node"])

    def _invocation(self, node: str) -> Invocation:
        if node == "nowhere":
            raise NotFound("there is no node nowhere")
        return self.project.invocation("add", {"a": 1, "b": 2}).model_copy(update={"node": node})

    def key(self, node: str = "n0") -> TryKey:
        return self.root, node, 1, 1

    def hear(self, node: str = "n0", *, ago: float = 0.0) -> None:
        argument = {"execution": self.root, "node": node, "attempt": 1, "try": 1}
        self.announced.hear(Announcement(argument, RUN, f"{node}@1.1", time.monotonic() - ago))

    async def announce(self, node: str = "n0", *, ago: float = 0.0) -> None:
        self.hear(node, ago=ago)
        await asyncio.sleep(0.01)

    async def looked(self) -> None:
        """Until nothing is expected any more, and what was to be stopped is."""
        async with asyncio.timeout(10):
            while self.announced._lookers or self.announced._background._tasks:
                await asyncio.sleep(0.005)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.005)


@pytest.fixture
def program(tmp_path: Path) -> Project:
    project = Project(tmp_path / "projects", ObjectStore.open(str(tmp_path / "store")))
    project.write("from flytemp import task\n@task\ndef add(a: int, b: int) -> int:\n    return a + b\n")
    return project


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early_start, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(early_start, "LAST_LOOK_SECONDS", 0.05)


async def test_what_is_announced_begins_and_its_activity_finds_it(program: Project) -> None:
    trial = Trial(program)
    await trial.announce()
    assert trial.backend.expected == [trial.key()]
    assert trial.backend.running() == {trial.key()}
    assert not trial.announced.taken(trial.key()), "it has begun: what became of it is to be found"
    await trial.looked()
    assert trial.temporal.asked == 0


async def test_an_activity_that_is_faster_finds_nothing_begun(program: Project) -> None:
    trial = Trial(program)
    trial.may_load.clear()
    await trial.announce()
    assert trial.announced.taken(trial.key()), "nobody has begun it"
    trial.may_load.set()
    await trial.looked()
    assert not trial.backend.expected


async def test_an_activity_that_was_announced_elsewhere(program: Project) -> None:
    assert not Trial(program).announced.taken(("root", "n0", 1, 1)), "another may have begun it"


async def test_without_room_nothing_begins(program: Project) -> None:
    trial = Trial(program, slots=1)
    await trial.announce("n0")
    await trial.announce("n1")
    assert trial.backend.running() == {trial.key("n0")}
    assert trial.announced.taken(trial.key("n1")), "nobody has begun it"


async def test_what_was_announced_long_ago_is_left_to_its_activity(program: Project) -> None:
    trial = Trial(program)
    await trial.announce(ago=early_start.START_SECONDS)
    assert not trial.backend.expected


async def test_what_does_not_load_is_left_to_its_activity(program: Project) -> None:
    trial = Trial(program)
    await trial.announce("nowhere")
    assert not trial.backend.expected
    assert trial.announced.taken(trial.key("nowhere"))


async def test_what_ended_before_its_activity_came_is_looked_for_by_it(program: Project) -> None:
    trial = Trial(program)
    await trial.announce()
    trial.backend.tries.pop(trial.key())  # its pod was deleted, say
    await trial.looked()
    assert trial.temporal.asked == 0
    assert not trial.announced.taken(trial.key())


async def test_a_task_without_an_activity_is_stopped(program: Project) -> None:
    trial = Trial(program, AWAY, Described(decides=True), Described(**{"n1@1.1": SCHEDULED}), Described(**{"n1@1.1": STARTED}))
    await trial.announce("n0")
    await trial.announce("n1")
    at_kill: list[tuple[int, set[TryKey]]] = []
    trial.backend.on_kill = lambda run: at_kill.append((trial.temporal.asked, trial.backend.running()))
    await trial.looked()
    assert at_kill == [(3, {trial.key("n1")})], "not while nobody knows or the workflow decides; one activity waits for a worker"
    await trial.announce("n0")
    assert trial.backend.killed == [trial.key("n0")]
    assert trial.backend.expected == [trial.key("n0"), trial.key("n1")], "it was stopped, and is not begun again"
    assert not trial.announced.taken(trial.key("n0")), "its activity looks for what is left of it"
    assert trial.backend.let_go_of == [trial.key("n1")], "another worker has it"


async def test_a_task_whose_activity_was_cancelled_is_stopped_at_once(program: Project) -> None:
    trial = Trial(program)
    await trial.announce()
    trial.announced.withdraw(trial.key())
    await trial.until(lambda: trial.backend.killed == [trial.key()])
    await trial.looked()
    assert trial.temporal.asked == 0


async def test_a_task_that_has_its_activity_is_not_withdrawn(program: Project) -> None:
    trial = Trial(program)
    await trial.announce()
    trial.announced.taken(trial.key())
    trial.announced.withdraw(trial.key())
    await trial.looked()
    assert (trial.backend.running(), trial.backend.killed) == ({trial.key()}, [])


async def test_a_task_that_is_withdrawn_before_it_begins(program: Project) -> None:
    trial = Trial(program)
    trial.may_load.clear()
    await trial.announce()
    trial.announced.withdraw(trial.key())
    trial.may_load.set()
    await trial.looked()
    assert not trial.backend.expected


async def test_an_activity_that_a_user_has_paused_before_any_worker_had_it(program: Project) -> None:
    paused = PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED
    trial = Trial(program, Described(**{"n0@1.1": paused}))
    await trial.announce()
    await trial.until(lambda: trial.temporal.asked > 1)
    assert (trial.backend.running(), trial.backend.killed, trial.backend.let_go_of) == ({trial.key()}, [], [])
    trial.announced.taken(trial.key())
    await trial.looked()


@pytest.mark.parametrize("state", [STARTED, CANCELLING])
async def test_what_another_worker_has_is_its_own(program: Project, state: PendingActivityState.ValueType) -> None:
    trial = Trial(program, Described(**{"n0@1.1": state}))
    await trial.announce()
    await trial.looked()
    assert (trial.backend.let_go_of, trial.backend.killed) == ([trial.key()], [])
    assert not trial.announced.taken(trial.key())


@pytest.mark.parametrize(
    "described",
    [
        pytest.param(Described(run_id="run-2"), id="continued as new"),
        pytest.param(Described(status=WorkflowExecutionStatus.TERMINATED), id="terminated"),
        pytest.param(RPCError("gone", RPCStatusCode.NOT_FOUND, b""), id="forgotten"),
    ],
)
async def test_of_a_run_that_is_over_it_goes_on_as_long_as_its_execution(
    program: Project, described: Described | RPCError
) -> None:
    trial = Trial(program, described)
    await trial.announce()
    await trial.looked()
    assert trial.detached.watched == [(trial.key(), *RUN)]
    assert (trial.backend.let_go_of, trial.backend.killed) == ([], [])


async def test_an_activity_that_comes_during_the_look_keeps_its_task(program: Project) -> None:
    trial = Trial(program, Described())
    describe, looks, may_answer = trial.temporal.describe, asyncio.Event(), asyncio.Event()

    async def slow() -> Described:
        looks.set()
        await may_answer.wait()
        return await describe()

    trial.temporal.describe = slow  # type: ignore[method-assign]
    await trial.announce()
    await looks.wait()
    assert not trial.announced.taken(trial.key())
    may_answer.set()
    await trial.looked()
    assert not trial.backend.killed


async def test_one_look_for_all_of_a_run(program: Project) -> None:
    trial = Trial(program, Described())
    for number in range(10):
        trial.hear(f"n{number}")
    await trial.looked()
    assert len(trial.backend.killed) == 10
    assert trial.temporal.asked <= 2
