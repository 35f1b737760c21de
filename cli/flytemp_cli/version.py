"""Versions of flytemp and of installed packages."""

from __future__ import annotations


def flytemp_version() -> str:
    """Return flytemp's version from its installed metadata."""
    return installed_version("flytemp") or "unknown (not installed)"


def installed_version(distribution: str) -> str | None:
    """Return the installed version of a distribution, or None."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
