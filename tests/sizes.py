"""Sizes of tests that have two: a short form for each run of the tests, the full size for `just test-long`."""

from __future__ import annotations

from typing import Any

import pytest


def short_and_long(short: int, long: int) -> list[Any]:
    """Return the parameters of a test that runs with ``short`` always and with ``long`` as a long test."""
    return [pytest.param(short, id=str(short)), pytest.param(long, id=str(long), marks=pytest.mark.long)]
