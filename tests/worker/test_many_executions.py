"""Tests of many executions at once: launches, answers and cancellations."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from flytemp import task, wait_for_input, workflow
from flytemp.client.handle import ExecutionHandle
from flytemp.records.models import Execution, Phase
from flytemp_worker.devserver import DevServer
from tests.worker.serving import ThreadBackend, connect, serving

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@task
def add(x: int, y: int) -> int:
    return x + y


@workflow
def waits(x: int) -> int:
    return add(x=add(x=x, y=1), y=wait_for_input("more", timeout=None, expected_type=int))


@pytest.mark.parametrize(
    ("launches", "cancellations"),
    [pytest.param(24, 12, id="short"), pytest.param(500, 240, id="long", marks=pytest.mark.long)],
)
async def test_many_executions_end_as_requested(server: DevServer, tmp_path: Path, launches: int, cancellations: int) -> None:
    client = await connect(server, tmp_path, [add, waits])
    async with serving(client, ThreadBackend(client.store)):

        async def launch(number: int) -> ExecutionHandle[int]:
            return await client.launch("waits", inputs={"x": number}, name=f"n{number}")

        async def end(number: int, handle: ExecutionHandle[int]) -> Execution:
            async with requests:
                if number < cancellations:
                    await handle.cancel("not needed")
                else:
                    await handle.set_input("more", number)
                return await handle.wait(300)

        handles = await asyncio.gather(*(launch(number) for number in range(launches)))
        again = await asyncio.gather(*(launch(number) for number in range(launches)))
        assert [handle.workflow_id for handle in again] == [handle.workflow_id for handle in handles]
        async with asyncio.timeout(300):
            while len(await client.waiting_gates(limit=launches)) < launches:
                pass
        requests = asyncio.Semaphore(20)
        executions = await asyncio.gather(*(end(number, handle) for number, handle in enumerate(handles)))
        assert [execution.phase for execution in executions[:cancellations]] == [Phase.ABORTED] * cancellations
        for number, execution in enumerate(executions[cancellations:], cancellations):
            assert execution.outputs == {"o0": 2 * number + 1}
    listed = Counter(summary.phase for summary in await client.executions(limit=launches))
    assert listed == {Phase.ABORTED: cancellations, Phase.SUCCEEDED: launches - cancellations}
    await client.close()
