"""Reference table of outcomes, from `flytemp.outcomes`."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from flytemp.outcomes import OUTCOMES
from generator.markdown import table


def render() -> str:
    """Return the table. Codes with the same meaning share a row."""
    rows = []
    for _, group in groupby(OUTCOMES.values(), lambda outcome: replace(outcome, code="")):
        outcomes = list(group)
        codes = ", ".join(f"`{outcome.code}`" for outcome in outcomes)
        first = outcomes[0]
        rows.append((codes, first.payer, "yes" if first.retryable else "no", f"{first.meaning} {first.hint}".strip()))
    return "\n".join(table(("Code", "Kind", "Retried", "Meaning"), rows))
