"""Repeating a launch under the same name returns the same execution, even after the program was registered again."""

from __future__ import annotations

import pytest

from tests.e2e.programs import write_program
from tests.installation import Installation

pytestmark = pytest.mark.e2e

PROGRAM = """
from flytemp import task, workflow


@task
def one() -> int:
    return {}


@workflow
def again_wf() -> int:
    return one()
"""


def test_after_a_new_version(installation: Installation) -> None:
    file = write_program(installation.folder / "again", PROGRAM.format(1), "again")
    installation.flytemp("register", str(file))
    launch = ("launch", "again_wf", "--name", "launched-again", "--wait", "-o", "json")
    first = installation.flytemp(*launch).stdout
    file.write_text(PROGRAM.format(2))
    installation.flytemp("register", str(file))

    assert installation.flytemp(*launch).stdout == first
    other = installation.flytemp("launch", "again_wf", "--name", "another", "--wait", "-o", "json").stdout
    assert '"o0": 2' in other
