from flytemp import workflow

from . import constants
from .steps import evaluate, fit
from .steps.extra import rounded


@workflow
def fit_wf(x: float) -> float:
    return fit(x=x, rate=constants.RATE)


@workflow
def train_wf(x: float = 3.0) -> int:
    return rounded(value=evaluate(model=fit_wf(x=x)))
