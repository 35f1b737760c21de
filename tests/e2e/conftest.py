from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from flytemp.client import Client
from tests.e2e.programs import write_program
from tests.installation import Installation


@pytest.fixture(scope="session")
def shapes(installation: Installation) -> Installation:
    """Register the programs of `programs` in the installation."""
    file = write_program(installation.folder / "shapes-project" / "src")
    installation.flytemp("register", str(file.parent))
    return installation


@pytest.fixture
async def client(shapes: Installation) -> AsyncIterator[Client]:
    connected = await shapes.client()
    yield connected
    await connected.close()
