"""The examples as projects of their own: copies, so that running them leaves nothing in the checkout."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def copy_of(name: str, folder: Path) -> Path:
    """The example's folder, copied below ``folder`` without what running it has left there."""
    target = folder / name
    shutil.copytree(ROOT / "examples" / name, target, ignore=shutil.ignore_patterns(".flytemp", "__pycache__"))
    return target
