"""How a run ends: it continues as new, or the execution closes."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError, CancelledError

from flytemp.spec.pages import to_pages
from flytemp_worker.engine import Finish, IOCompleted, TaskCancelled, TaskFailed, TaskLost, TaskSucceeded, TimerFired, snapshot
from flytemp_worker.workflow import activity_calls
from flytemp_worker.workflow.child_workflows import tell_parent
from flytemp_worker.workflow.visibility import details

MOST_EVENTS = 9_000
"""A run that waits for what is nearly done stops waiting when its history is so long."""

PASSING: tuple[type, ...] = (TaskSucceeded, TaskFailed, TaskLost, TaskCancelled, TimerFired, IOCompleted)
"""Events that the next run will hear again: what they tell of is issued again, and finds what was committed."""


async def continue_as_new(shell: Any) -> None:
    """Drain for a while, save the state, start the next run, which issues what is in flight again.

    A cancellation on the way wins, and so does all that nobody would say a second time: then this run goes on.
    """
    engine = shell.engine
    engine.hold()
    deadline = workflow.time() + shell.settings["drain_seconds"]
    while (engine.running or shell.has_backlog) and shell.finish is None and not engine.aborting:
        left = deadline - workflow.time()
        if not shell.has_backlog and (left <= 0 or workflow.info().get_current_history_length() > MOST_EVENTS):
            break
        await (shell.wait(pause=0) if shell.has_backlog else shell.wait(left))
        shell.feed()
        shell.carry_out()
    if shell.finish is not None:
        return
    await shell.settle()
    if not engine.aborting and await _save(shell, generation := shell.generation + 1, snapshot.state(engine)):
        await workflow.wait_condition(workflow.all_handlers_finished)
        if not news(shell):
            resolved = {**shell.resolved, "plan": None}
            continued = {"generation": generation, "pages": shell.saved_pages, "resolved": resolved}
            if shell.part is not None:
                continued["part"] = shell.part
            workflow.continue_as_new({"continued": continued})
    engine.holding = False


def news(shell: Any) -> bool:
    """Whether something came that the state which was just saved does not know of."""
    return any(not isinstance(event, PASSING) for event in shell.events)


async def _save(shell: Any, generation: int, state: Any) -> bool:
    """Save ``state`` page by page; False when something came between that only this run has heard."""
    pages = to_pages(state)
    shell.saved_pages = len(pages)
    if shell.part is None and shell.resolved["plan"] is not None:  # a plan of one page lies only in this run's history
        argument = {"execution": shell.root, "page": 0, "text": shell.resolved["plan"]}
        await shell.uncancelled(
            activity_calls.control(activity_calls.SAVE_PLAN, argument, summary="the plan, for the runs to come")
        )
    for number, page in enumerate(pages):
        argument = {"execution": shell.root, "generation": generation, "page": number, "text": page}
        if shell.part is not None:
            argument["part"] = f"{shell.part['name']}/{shell.part['attempt']}"
        summary = f"state, page {number + 1} of {len(pages)}"
        await shell.uncancelled(activity_calls.control(activity_calls.SAVE_STATE, argument, summary=summary))
    return not news(shell)


# -------------------------------------------------------------------------------------------- close


async def close(shell: Any, finish: Finish) -> dict[str, Any]:
    """Record how it ended, tell who waits for it, then end the workflow as its phase says."""
    await shell.settle()
    if shell.part is not None:
        return await _close_part(shell, finish)
    argument: dict[str, Any] = {
        "execution": shell.root,
        "phase": finish.phase,
        "outputs": finish.outputs,
        "error": finish.error,
        "reason": finish.reason,
        "warnings": shell.resolved["warnings"],
        "closed": workflow.time_ns() // 1_000_000,
    }
    await _add_pages(shell, argument, "rows", to_pages(snapshot.for_record(shell.engine)))
    if finish.phase != "SUCCEEDED":  # it may be tried again, from where it ended
        await _add_pages(shell, argument, "state", to_pages(snapshot.state(shell.engine)))
    result: dict[str, Any] = await shell.uncancelled(
        activity_calls.control(activity_calls.CLOSE, argument, summary="record the execution")
    )
    workflow.set_current_details(details(shell.engine, shell.resolved))
    caller = shell.resolved.get("parent")
    if caller:
        await _tell(shell, caller["workflow_id"], _message(caller, result))
    if result["phase"] == "ABORTED":
        raise CancelledError(finish.reason or "cancelled")
    if result["phase"] in ("FAILED", "TIMED_OUT"):
        error = result["error"]
        where = f"node {error['node']} ({error['task']}): " if error.get("node") else ""
        raise ApplicationError(f"{where}{error['message']}", error, type=error["code"], non_retryable=True)
    if "outputs" in result:
        result.pop("outputs_uri", None)
    return {key: value for key, value in result.items() if key in ("execution", "outputs", "outputs_uri")}


async def _add_pages(shell: Any, argument: dict[str, Any], name: str, pages: list[str]) -> None:
    """Put pages into the argument: one as it is, more by where they were saved."""
    if len(pages) == 1 and (name == "rows" or len(argument.get("rows", "")) < 256 * 1024):
        argument[name] = pages[0]
        return
    shell.generation += 1
    argument[f"{name}_pages"] = [shell.generation, len(pages)]
    what = "nodes" if name == "rows" else "state"
    for number, page in enumerate(pages):
        saved = {"execution": shell.root, "generation": shell.generation, "page": number, "text": page}
        await shell.uncancelled(
            activity_calls.control(activity_calls.SAVE_STATE, saved, summary=f"{what}, page {number + 1} of {len(pages)}")
        )


async def _tell(shell: Any, parent: str, message: dict[str, Any]) -> None:
    """Say that it is over, also when a cancellation arrives just then: the parent waits for it."""
    await shell.uncancelled(asyncio.ensure_future(tell_parent(parent, message)))


def _message(caller: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """What a parent hears of the end of an execution that its node launched."""
    message: dict[str, Any] = {"node": caller["node"], "part": -1, "attempt": caller["attempt"], "phase": result["phase"]}
    if result["phase"] == "SUCCEEDED":
        where = "outputs_uri" if "outputs_uri" in result else "outputs"
        message.update({where: result[where], "size": result.get("size", 0)})
    else:
        message["error"] = _told_error(result)
    return message


def _told_error(result: dict[str, Any]) -> dict[str, Any]:
    error = result.get("error") or {"kind": "USER", "code": "Cancelled", "message": "it was cancelled"}
    where = f", node {error['node']}" if error.get("node") else ""
    return {**error, "message": f"execution {result['execution']}{where}: {error['message']}"}


async def _close_part(shell: Any, finish: Finish) -> dict[str, Any]:
    part = shell.part
    name = f"{part['name']}/{part['attempt']}"
    argument = {"execution": shell.root, "name": name, "outputs": finish.outputs}
    for number, page in enumerate(to_pages(snapshot.for_record(shell.engine))):
        saved = {"execution": shell.root, "name": name, "page": number, "text": page}
        await shell.uncancelled(activity_calls.control(activity_calls.CLOSE_PART, saved, summary="record the part's nodes"))
    if finish.outputs is not None:
        await shell.uncancelled(activity_calls.control(activity_calls.CLOSE_PART, argument, summary="record the part's outputs"))
    workflow.set_current_details(details(shell.engine, shell.resolved))
    message = {
        "node": part["node"], "part": part["part"], "attempt": part["attempt"], "phase": finish.phase,
        "error": finish.error, "counts": list(finish.counts or (0, 0)),
    }  # fmt: skip
    await _tell(shell, part["parent"], message)
    return {"phase": finish.phase, "counts": list(finish.counts or (0, 0))}
