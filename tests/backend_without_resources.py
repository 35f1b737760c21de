"""Base of the tests' backends."""

from __future__ import annotations


class BackendWithoutResources:
    """Base of backends that need no preparation and have no resources to free."""

    async def start(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""
