"""Files of a new project. ``$name`` is replaced by the project's name."""

from __future__ import annotations

from string import Template

_SETTINGS = """\
# Settings of this project. Environment variables and command-line options take precedence.
# `flytemp config view` shows every effective value and its origin.

# project = "default"
# domain = "development"
# store = "s3://bucket/prefix"      # default: .flytemp/store in this folder
# profile = "prod"                  # a profile in Temporal's temporal.toml
# task_queue = "flytemp"

# [worker]
# slots = 4                         # tasks at once; default: one per CPU
"""

_WORKFLOWS = '''\
"""Statistics of a text: a small example workflow.

A task is a Python function that runs in a separate process. A workflow connects tasks; Temporal runs it durably.
"""

from collections import Counter
from dataclasses import dataclass

from flytemp import task, workflow

EXAMPLE = "the quick brown fox jumps over the lazy dog while the other dog sleeps"


@dataclass
class Statistics:
    words: int
    distinct: int
    most_common: list[str]


@task
def split(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return [word.strip(".,;:!?").lower() for word in text.split()]


@task(retries=2)
def count(words: list[str]) -> dict[str, int]:
    """Return the number of occurrences of each word."""
    print(f"counting {len(words)} words")  # `flytemp logs` shows the output of tasks
    return dict(Counter(words))


@task
def summarize(counts: dict[str, int], top: int) -> Statistics:
    """Return the statistics of the counts; equally frequent words are in alphabetical order."""
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    return Statistics(words=sum(counts.values()), distinct=len(counts), most_common=ranked[:top])


@workflow
def word_statistics(text: str = EXAMPLE, top: int = 3) -> Statistics:
    """Count the words of a text.

    Args:
        text: the text to analyse.
        top: the number of most common words to return.
    """
    words = split(text=text)
    counts = count(words=words)
    return summarize(counts=counts, top=top)
'''

_TEST = '''\
"""Tests of the workflow. Calling a workflow runs it as plain Python, without a server."""

from workflows import Statistics, word_statistics


def test_most_common_words_are_first() -> None:
    result = word_statistics(text="One two two, three three three!", top=2)

    assert result == Statistics(words=6, distinct=3, most_common=["three", "two"])


def test_equally_frequent_words_are_in_order() -> None:
    assert word_statistics(text="b a c", top=2).most_common == ["a", "b"]
'''

_PYPROJECT = """\
[project]
name = "$name"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["flytemp[worker,server]"]

[tool.pytest.ini_options]
pythonpath = ["src"]
testpaths = ["tests"]
"""

_README = """\
# $name

Workflows for [Temporal](https://temporal.io), written with flytemp.

| File | Content |
| --- | --- |
| `src/workflows.py` | tasks and workflow |
| `tests/test_workflows.py` | tests in plain Python |
| `flytemp.toml` | settings |

## Try it

Without a server, in one process:

    flytemp run src/workflows.py word_statistics --top 2 --local

With Temporal, its UI, a worker and a store on this machine. Leave this command running in a separate terminal:

    flytemp dev

In another terminal:

    flytemp run src/workflows.py word_statistics --text "to be or not to be"

## Register and launch

    flytemp check src/                # compile and validate
    flytemp register src/             # store the workflows and their code under a version
    flytemp launch word_statistics --text "to be or not to be" --name first --follow
    flytemp get execution first
    flytemp logs first

## Test

    pytest
"""

_GITIGNORE = """\
.flytemp/
.venv/
__pycache__/
*.pyc
.pytest_cache/
"""

_FILES = {
    "flytemp.toml": _SETTINGS,
    "pyproject.toml": _PYPROJECT,
    "src/workflows.py": _WORKFLOWS,
    "tests/test_workflows.py": _TEST,
    "README.md": _README,
    ".gitignore": _GITIGNORE,
}


def project_files(name: str) -> dict[str, str]:
    """Return the files of a project called ``name``: relative path to text."""
    return {path: Template(text).safe_substitute(name=name) for path, text in _FILES.items()}
