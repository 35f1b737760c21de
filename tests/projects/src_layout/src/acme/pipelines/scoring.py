from typing import List

from acme.core import clean, score
from acme.core.types import Row

from flytemp import LaunchPlan, workflow

DEFAULT = [Row("a", 1.0), Row("b", -1.0), Row("c", 2.5)]


@workflow
def scoring_wf(rows: List[Row] = DEFAULT, weight: float = 2.0) -> float:
    return score(rows=clean(rows=rows), weight=weight)


light = LaunchPlan.get_or_create(scoring_wf, name="acme-light", fixed_inputs={"weight": 0.5})
