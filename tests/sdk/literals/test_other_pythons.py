"""Types on the other versions of Python that this machine has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.other_pythons import prepared

PROGRAM = Path(__file__).with_name("type_statements.txt")
SDK = Path(__file__).parents[3] / "sdk"
PYTHONS = prepared()
if sys.version_info >= (3, 12):
    PYTHONS[f"3.{sys.version_info.minor}"] = sys.executable


@pytest.mark.parametrize("version", PYTHONS or [pytest.param("none", marks=pytest.mark.skip("no other Python is prepared"))])
def test_types_on_another_python(version: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    shutil.copy(PROGRAM, program)
    finished = subprocess.run(
        [PYTHONS[version], str(program), str(PROGRAM.parent)],
        env={**os.environ, "PYTHONPATH": str(SDK)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith(version)
