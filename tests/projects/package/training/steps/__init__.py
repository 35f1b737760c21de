from flytemp import task

from ..constants import RATE


@task
def fit(x: float, rate: float) -> float:
    return x * rate


@task
def evaluate(model: float) -> float:
    return model / RATE
