import logging

from acme.core.types import Row

from flytemp import task

logger = logging.getLogger(__name__)


@task
def clean(rows: list[Row]) -> list[Row]:
    logger.info("cleaning %d rows", len(rows))
    return [row for row in rows if row.value >= 0]


@task
def score(rows: list[Row], weight: float) -> float:
    from acme.core.late import total  # imported when the task runs, from the bundle

    return total(rows) * weight
