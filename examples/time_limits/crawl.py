"""Pages are fetched from a service that is slow at times: limits of a try, of a call, and of everything."""

from __future__ import annotations

import time
from datetime import timedelta

from flytemp import Backoff, RetryStrategy, Timeout, task, workflow

PATIENT = Timeout(max_runtime=timedelta(minutes=1), max_queued_time=timedelta(minutes=10), deadline=timedelta(minutes=30))


@task(retries=RetryStrategy(2, Backoff(base=0.1, jitter=False)), timeout=PATIENT)
def fetch(page: str, seconds: float) -> str:
    """A page of a service that takes its time."""
    time.sleep(seconds)
    return f"<h1>{page}</h1>"


@task
def index(pages: list[str]) -> int:
    """How many letters there are to look up."""
    return sum(len(page) for page in pages)


@workflow(timeout=timedelta(hours=1))
def crawl(seconds: float = 0.1) -> int:
    """Fetch and index some pages; the one about the weather is allowed to be late."""
    news = fetch(page="news", seconds=seconds).with_overrides(timeout=timedelta(seconds=1), retries=1)  # type: ignore[attr-defined]
    weather = fetch(page="weather", seconds=0.1)
    return index(pages=[news, weather])


@workflow(timeout=timedelta(seconds=1))
def hasty_crawl(seconds: float = 0.1) -> int:
    """The whole workflow has a second."""
    return index(pages=[fetch(page="news", seconds=seconds)])
