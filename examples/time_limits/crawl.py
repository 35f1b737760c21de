"""Time limits of attempts, of calls and of a workflow that fetches pages from a slow service."""

from __future__ import annotations

import time
from datetime import timedelta

from flytemp import Backoff, RetryStrategy, Timeout, task, workflow

PATIENT = Timeout(max_runtime=timedelta(minutes=1), max_queued_time=timedelta(minutes=10), deadline=timedelta(minutes=30))


@task(retries=RetryStrategy(2, Backoff(base=0.1, jitter=False)), timeout=PATIENT)
def fetch(page: str, seconds: float) -> str:
    """Fetch a page of a slow service."""
    time.sleep(seconds)
    return f"<h1>{page}</h1>"


@task
def index(pages: list[str]) -> int:
    """Return the number of letters."""
    return sum(len(page) for page in pages)


@workflow(timeout=timedelta(hours=1))
def crawl(seconds: float = 0.1) -> int:
    """Fetch and index pages; the page about the news has a shorter limit."""
    news = fetch(page="news", seconds=seconds).with_overrides(timeout=timedelta(seconds=1), retries=1)  # type: ignore[attr-defined]
    weather = fetch(page="weather", seconds=0.1)
    return index(pages=[news, weather])


@workflow(timeout=timedelta(seconds=1))
def hasty_crawl(seconds: float = 0.1) -> int:
    """Fetch a page with a limit of one second for the workflow."""
    return index(pages=[fetch(page="news", seconds=seconds)])
