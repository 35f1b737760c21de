"""Settings and launches that no worker can carry out fail at once and clearly; the longest durations run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flytemp.client import Client, ExecutionHandle, LaunchOptions
from flytemp.launching.targets import find_target
from flytemp.records.models import Phase
from flytemp.spec.bounds import MAX_SECONDS
from flytemp.spec.models import Backoff, PodTemplateSpec, Retries, TaskDocument, TaskSettings
from tests.installation import DEADLINE_SECONDS

pytestmark = pytest.mark.e2e

IMPOSSIBLE = {
    "queued": TaskSettings(queued_timeout_seconds=8.64e13),
    "timeout": TaskSettings(timeout_seconds=1e300),
    "deadline": TaskSettings(deadline_seconds=8.64e13),
    "back-off": TaskSettings(retries=Retries(count=3, backoff=Backoff(base_seconds=1e300, cap_seconds=1e300))),
    "variable-name": TaskSettings(environment={"A=B": "x"}),
    "variable-value": TaskSettings(environment={"A": "a\0b"}),
    "pod-template": TaskSettings(pod_template=PodTemplateSpec(spec={"containers": [{}], "volumes": ["cache"]})),
}


def registered(client: Client, name: str, settings: TaskSettings) -> str:
    """Register the task ``shapes.add`` with settings that the compiler would refuse, as another program could."""
    _, document = find_target(client.registry, "shapes.add", project="default", domain="development")
    assert isinstance(document, TaskDocument)
    task = document.task.model_copy(update={"name": f"foreign.{name}", "settings": settings})
    changed = document.model_copy(update={"name": task.name, "task": task})
    client.registry.register([changed], project="default", domain="development", version=f"v-{name}")
    return task.name


@pytest.mark.parametrize("name", IMPOSSIBLE)
async def test_document_with_impossible_settings_fails_its_executions(client: Client, name: str) -> None:
    handle: ExecutionHandle[Any] = await client.launch(registered(client, name, IMPOSSIBLE[name]), inputs={"a": 1, "b": 2})
    execution = await handle.wait(DEADLINE_SECONDS)
    assert execution.phase is Phase.FAILED
    assert execution.error is not None
    assert execution.error.code == "corrupt-data"


async def test_longest_durations_run(client: Client) -> None:
    settings = TaskSettings(
        queued_timeout_seconds=MAX_SECONDS, timeout_seconds=MAX_SECONDS, deadline_seconds=MAX_SECONDS,
        retries=Retries(count=1, backoff=Backoff(base_seconds=MAX_SECONDS, cap_seconds=MAX_SECONDS)),
    )  # fmt: skip
    target = registered(client, "longest", settings)
    options = LaunchOptions(timeout_seconds=MAX_SECONDS)
    handle: ExecutionHandle[Any] = await client.launch(target, inputs={"a": 1, "b": 2}, options=options)
    execution = await handle.wait(DEADLINE_SECONDS)
    assert execution.phase is Phase.SUCCEEDED, execution.error


async def test_launch_that_names_a_file_of_the_worker_fails(client: Client, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("password")
    handle: ExecutionHandle[Any] = await client.launch("shapes.read_file", inputs={"file": f"file://{secret}"})
    execution = await handle.wait(DEADLINE_SECONDS)
    assert execution.phase is Phase.FAILED
    assert execution.error is not None
    assert execution.error.code == "invalid-input"
