"""The files of a new project. ``$name`` is the project's name, everything else is as it will be."""

from __future__ import annotations

from string import Template

_SETTINGS = """\
# Settings of this project; environment variables and flags win over them.
# `flytemp config view` shows every value that is in force and where it comes from.

# project = "default"
# domain = "development"
# store = "s3://bucket/prefix"      # by default .flytemp/store in this folder
# profile = "prod"                  # a profile of Temporal's own temporal.toml
# task_queue = "flytemp"

# [worker]
# slots = 4                         # tasks at once; by default one per CPU
"""

_WORKFLOWS = '''\
"""Statistics of a text: a small workflow to begin with.

A task is a Python function that runs in a process of its own. A workflow says which task's result goes where; it is
run step by step, durably, by Temporal.
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
    """The words of a text, in lower case."""
    return [word.strip(".,;:!?").lower() for word in text.split()]


@task(retries=2)
def count(words: list[str]) -> dict[str, int]:
    """How often each word occurs."""
    print(f"counting {len(words)} words")  # `flytemp logs` shows what tasks print
    return dict(Counter(words))


@task
def summarize(counts: dict[str, int], top: int) -> Statistics:
    """The statistics of the counts; of equally frequent words, the first in the alphabet comes first."""
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    return Statistics(words=sum(counts.values()), distinct=len(counts), most_common=ranked[:top])


@workflow
def word_statistics(text: str = EXAMPLE, top: int = 3) -> Statistics:
    """Count the words of a text.

    Args:
        text: what to count the words of.
        top: how many of the most common words to name.
    """
    words = split(text=text)
    counts = count(words=words)
    return summarize(counts=counts, top=top)
'''

_TEST = '''\
"""A workflow is plain Python when it is called: its test needs no server."""

from workflows import Statistics, word_statistics


def test_the_most_common_words_come_first() -> None:
    result = word_statistics(text="One two two, three three three!", top=2)

    assert result == Statistics(words=6, distinct=3, most_common=["three", "two"])


def test_words_of_equal_frequency_are_in_order() -> None:
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

| file | what it is |
| --- | --- |
| `src/workflows.py` | the tasks and the workflow |
| `tests/test_workflows.py` | their test, as plain Python |
| `flytemp.toml` | settings |

## Try it

Without any server, in one process:

    flytemp run src/workflows.py word_statistics --top 2 --local

With Temporal, its UI, a worker and a store on this machine; leave this running in a terminal of its own:

    flytemp dev

and in another one:

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
    """The files of a project called ``name``: relative path to text."""
    return {path: Template(text).safe_substitute(name=name) for path, text in _FILES.items()}
