import steps
from steps import count as counted

from flytemp import workflow


@workflow
def counting_wf(prefix: str = "a") -> int:
    return counted(prefix=prefix)


@workflow
def outer_wf() -> int:
    steps.count(prefix="x")
    return counting_wf(prefix="b")


if __name__ == "__main__":
    print(counting_wf(), outer_wf())
