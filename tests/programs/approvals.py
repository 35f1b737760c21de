"""Workflows that wait for people."""

from datetime import timedelta

from flytemp import approve, conditional, sleep, task, wait_for_input, workflow


@task
def reporter(title_input: str, review_passes: bool) -> str:
    return f"{title_input}: {'done' if review_passes else 'rejected'}"


@task
def draft(topic: str) -> str:
    return f"about {topic}"


@task
def invalid() -> str:
    return "invalid report"


@workflow
def reporting_wf(topic: str) -> str:
    pause = sleep(timedelta(seconds=1))
    text = draft(topic=topic)
    pause >> text
    title = wait_for_input("title", timeout=timedelta(hours=1), expected_type=str)
    review = wait_for_input("review-passes", timeout=timedelta(hours=2), expected_type=bool)
    return (
        conditional("final-report-condition")
        .if_(review.is_true())
        .then(reporter(title_input=title, review_passes=review))
        .else_()
        .then(invalid())
    )


@workflow
def approval_wf(topic: str) -> str:
    return reporter(title_input=approve(draft(topic=topic), "draft-is-good", timeout=None), review_passes=True)
