"""Test workflow of flytemp's type that only handles updates, for tests of clients."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from flytemp.protocol.workflow import WORKFLOW_TYPE

CODES = ("wrong-type", "not-found", "already-exists", "something-else")


@workflow.defn(name=WORKFLOW_TYPE, sandboxed=False)
class UpdateWorkflow:
    """Workflow that fails for the input ``{"fail": true}``, starts a chain of children for ``{"children": n}``, or waits.

    The query ``received`` returns the updates so far. An answer to a gate that is named like an error code is rejected with
    this code.
    """

    def __init__(self) -> None:
        self.received: list[list[Any]] = []
        self.closing = False

    @workflow.run
    async def run(self, launch: dict[str, Any]) -> list[list[Any]]:
        if launch.get("fail"):
            raise ApplicationError("it failed", non_retryable=True)
        if launch.get("children"):
            await workflow.start_child_workflow(
                WORKFLOW_TYPE,
                {"children": launch["children"] - 1},
                id=f"{workflow.info().workflow_id}'s child",
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            )
        if "waiting" in launch:
            workflow.upsert_memo({"flytemp.waiting": launch["waiting"]})
        await workflow.wait_condition(lambda: self.closing)
        return self.received

    @workflow.query(name="received")
    def _received(self) -> list[list[Any]]:
        return self.received

    @workflow.update(name="flytemp.answer", unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)
    async def answer(self, answer: dict[str, Any]) -> dict[str, Any]:
        if answer["gate"] == "ends":
            self.closing = True
            await asyncio.Event().wait()
        self.received.append(["answer", answer])
        return {"nodes": ["n3", "n4.n0"] if answer["gate"] == "now" else []}

    @answer.validator
    def _check(self, answer: dict[str, Any]) -> None:
        if answer["gate"] in CODES:
            details = ["look closer"] if answer["gate"] == "wrong-type" else []
            raise ApplicationError("it is refused", *details, type=answer["gate"])

    @workflow.update(name="flytemp.pause")
    def pause(self, request: dict[str, Any]) -> dict[str, Any]:
        self.received.append(["pause", request])
        return {}

    @workflow.update(name="flytemp.resume")
    def resume(self, request: dict[str, Any]) -> dict[str, Any]:
        self.received.append(["resume", request])
        return {}
