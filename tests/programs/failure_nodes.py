"""Workflows that clean up when they fail."""

import typing

from flytemp import FlyteError, WorkflowFailurePolicy, task, workflow


@task
def create_cluster(name: str):
    print(f"Creating cluster: {name}")


@task
def t1(a: int, b: str):
    print(f"{a} {b}")
    if a < 0:
        raise ValueError("Fail!")


@task
def delete_cluster(name: str):
    print(f"Deleting cluster {name}")


@task
def clean_up(name: str, a: int, err: typing.Optional[FlyteError] = None):
    print(f"Deleting cluster {name} due to {err.message if err else None} of {err.failed_node_id if err else None}")


@workflow
def clean_up_wf(name: str, a: int, err: typing.Optional[FlyteError] = None):
    clean_up(name=name, a=a, err=err)


@workflow(on_failure=clean_up)
def subwf(name: str, a: int):
    c = create_cluster(name=name)
    t = t1(a=a, b="2")
    d = delete_cluster(name=name)
    c >> t >> d


@workflow(on_failure=clean_up_wf, failure_policy=WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE)
def wf1(name: str = "my_cluster", a: int = 1):
    c = create_cluster(name=name)
    subwf(name="another_cluster", a=a)
    t = t1(a=a, b="2")
    d = delete_cluster(name=name)
    c >> t >> d


if __name__ == "__main__":
    wf1()
    try:
        wf1(a=-1)
    except ValueError as error:
        print(f"failed: {error}")
