"""A Python dict has an order, and a task may rely on it: it is the same however the workflow runs."""

from typing import Dict, Tuple

from flytemp import task, workflow


@task
def make() -> Dict[str, int]:
    return {"zebra": 1, "apple": 2}


@task
def names(d: Dict[str, int]) -> str:
    return ",".join(d)


@workflow
def ordered_wf(given: Dict[str, int] = {"b": 1, "a": 2}) -> Tuple[str, str]:
    return names(d=make()), names(d=given)
