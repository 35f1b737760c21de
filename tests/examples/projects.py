"""Copies of the examples as separate projects, so that running them does not change the checkout."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def copy_of(name: str, folder: Path) -> Path:
    """Copy an example's folder below ``folder``, without files created by earlier runs."""
    target = folder / name
    shutil.copytree(ROOT / "examples" / name, target, ignore=shutil.ignore_patterns(".flytemp", "__pycache__"))
    return target
