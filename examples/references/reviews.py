"""Scores of product reviews, with registered tasks and workflows of the project ``shared``."""

from __future__ import annotations

from flytemp import reference_launch_plan, reference_task, reference_workflow, task, workflow


@reference_task(project="shared", domain="development", name="cleaning.clean")
def clean(text: str) -> str:
    raise NotImplementedError


@reference_workflow(project="shared", domain="development", name="cleaning.word_counts")
def word_counts(text: str) -> dict[str, int]:
    raise NotImplementedError


@reference_launch_plan(project="shared", domain="development", name="archive")
def archive(text: str) -> dict[str, int]:
    raise NotImplementedError


@task
def score(counts: dict[str, int], cleaned: str) -> float:
    """Return the share of good words."""
    good = counts.get("good", 0) + counts.get("great", 0)
    return good / max(len(cleaned.split()), 1)


@workflow
def review_score(review: str) -> float:
    """Score a review and archive its words."""
    archive(text=review)
    return score(counts=word_counts(text=review), cleaned=clean(text=review))
