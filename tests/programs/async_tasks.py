"""Tasks that await, in a workflow that does not."""
import asyncio
from datetime import timedelta

from flytemp import Cache, Resources, WorkflowFailurePolicy, task, workflow


@task(retries=2, timeout=timedelta(minutes=1), environment={"LEVEL": "3"})
async def fetch(number: int) -> int:
    await asyncio.gather(*(asyncio.to_thread(int, "1") for _ in range(2)))
    return number * 10


@task(requests=Resources(cpu="1", mem="200Mi"), limits=Resources(cpu="2", mem="400Mi"), cache=Cache(version="1.0"))
def add(a: int, b: int) -> int:
    return a + b


@workflow(failure_policy=WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE)
def async_wf(number: int = 4) -> int:
    first = fetch(number=number)
    second = fetch(number=first).with_overrides(node_name="second fetch", retries=5, timeout=30)
    return add(a=first, b=second).with_overrides(limits=Resources(cpu="3", mem="100Mi"))
