"""Drawings of the examples' workflows by `flytemp graph`."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from flytemp_cli.main import run

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
_WORKFLOWS = {
    "approvals": ("approvals/release.py", "release"),
    "conditionals": ("conditionals/quality.py", "average_reading"),
    "dynamic-workflows": ("dynamic/halving.py", "tune"),
    "handle-failures": ("failure_handling/staging.py", "refresh_and_report"),
    "imperative": ("imperative_and_yaml/columns.py", "column_statistics"),
    "large-workflows": ("large/bootstrap.py", "confidence"),
    "map-tasks": ("mapping/stations.py", "read_log"),
    "maps-of-workflows": ("mapping/stations.py", "all_means"),
    "references": ("references/reviews.py", "review_score"),
    "shell-tasks": ("shell_tasks/words.py", "top_words"),
    "sub-workflows-and-launch-plans": ("launch_plans/sales.py", "company_report"),
    "time-limits": ("time_limits/crawl.py", "crawl"),
    "yaml": ("imperative_and_yaml/tall.flytemp.yaml", "tall"),
}


def picture(file: str, name: str) -> str:
    """Return the drawing of one workflow of an example.

    Raises:
        RuntimeError: it cannot be drawn.
    """
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        code = run(["graph", str(EXAMPLES / file), name, "-o", "svg"])
    if code != 0:
        raise RuntimeError(f"`flytemp graph {file} {name}` ended with exit code {code}: {errors.getvalue()}")
    return out.getvalue()


PICTURES: Mapping[str, Callable[[], str]] = {
    f"images/{title}.svg": partial(picture, file, name) for title, (file, name) in _WORKFLOWS.items()
}
