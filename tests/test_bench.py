"""The programs of bench/ can be imported: nothing else runs them in the tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    "program", [["bench/run.py"], ["bench/scale.py"], ["-m", "bench.kubernetes_pods"], ["-m", "bench.chaos"]]
)
def test_program_of_bench_starts(program: list[str]) -> None:
    done = subprocess.run([sys.executable, *program, "--help"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage:" in done.stdout
