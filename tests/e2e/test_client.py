"""The client as a backend service uses it: objects, types, options, with and without an event loop."""

from __future__ import annotations

import importlib.util
import sys
import urllib.request
from types import ModuleType

import pytest

from flytemp.client import Client, LaunchOptions, SyncClient
from flytemp.errors import ExecutionFailed, InputError, NotFound, TemporalUnavailable
from flytemp.records.models import Phase
from tests.installation import DEADLINE_SECONDS, Installation, eventually

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def program(shapes: Installation) -> ModuleType:
    """Import the registered module, as a service that launches its workflows does."""
    file = shapes.folder / "shapes-project" / "src" / "shapes.py"
    spec = importlib.util.spec_from_file_location("shapes", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["shapes"] = module
    spec.loader.exec_module(module)
    return module


async def test_an_object_with_its_own_arguments(client: Client, program: ModuleType) -> None:
    handle = await client.launch(program.diamond, x=3)

    assert await handle.result(DEADLINE_SECONDS) == 19


async def test_an_object_with_positional_arguments(client: Client, program: ModuleType) -> None:
    handle = await client.launch(program.add, 3, 4)

    assert await handle.result(DEADLINE_SECONDS) == 7


async def test_python_values_come_back(client: Client, program: ModuleType) -> None:
    handle = await client.launch(program.make_point, x=3)

    assert await handle.result(DEADLINE_SECONDS) == program.Point(3, 1.5, ["a", "b"])
    assert await handle.outputs() == {"o0": {"x": 3, "y": 1.5, "tags": ["a", "b"]}}


async def test_a_local_file_is_uploaded(client: Client, program: ModuleType, shapes: Installation) -> None:
    file = shapes.folder / "given.txt"
    file.write_text("given by the caller")

    by_object = await client.launch(program.read_file, file=str(file))
    by_name = await client.launch("shapes.read_file", inputs={"file": str(file)})

    assert await by_object.result(DEADLINE_SECONDS) == "given by the caller"
    assert await by_name.outputs(DEADLINE_SECONDS) == {"o0": "given by the caller"}


async def test_a_name_and_options_with_the_typed_form(client: Client, program: ModuleType) -> None:
    named = client.named("typed-and-named", options=LaunchOptions(labels={"team": "x"}))
    first = await named.launch(program.diamond, x=4)
    again = await named.launch(program.diamond, x=4)

    assert first.name == again.name == "typed-and-named"
    assert (await first.wait(DEADLINE_SECONDS)).labels == {"team": "x"}


async def test_an_object_with_options(client: Client, program: ModuleType) -> None:
    handle = await client.launch(program.diamond, inputs={"x": 2}, name="object-with-options")

    assert handle.name == "object-with-options"
    assert await handle.outputs(DEADLINE_SECONDS) == {"o0": 16}


async def test_a_launch_plan_object(client: Client, program: ModuleType) -> None:
    handle = await client.launch(program.fixed)

    assert await handle.result(DEADLINE_SECONDS) == 31


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"x": "three"}, "'x'", id="wrong type"),
        pytest.param({"z": 1}, "z", id="unknown"),
    ],
)
async def test_wrong_arguments(client: Client, program: ModuleType, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        await client.launch(program.diamond, **arguments)


async def test_an_unknown_execution(client: Client) -> None:
    for call in (client.execution("never-launched").describe, client.execution("never-launched").wait):
        with pytest.raises(NotFound, match="never-launched"):
            await call()
    with pytest.raises(NotFound, match="never-launched"):
        await client.execution("never-launched").cancel("no")


async def test_watching_ends_with_the_final_state(client: Client) -> None:
    handle = await client.launch("shapes.nested", inputs={"x": 1})
    phases = [execution.phase async for execution in handle.watch()]

    assert phases[-1] is Phase.SUCCEEDED
    assert not any(phase.is_final for phase in phases[:-1])


def test_the_facade_without_an_event_loop(shapes: Installation, program: ModuleType) -> None:
    with SyncClient.connect(shapes.settings()) as client:
        handle = client.launch(program.diamond, x=5)
        assert handle.result(DEADLINE_SECONDS) == 25
        assert handle.wait().phase is Phase.SUCCEEDED
        assert len(handle.nodes()) == 3
        assert [execution.phase for execution in handle.watch()] == [Phase.SUCCEEDED]
        assert "adding 5 and 10" in "".join(chunk.text for chunk in handle.logs())
        assert handle.name in {summary.name for summary in client.executions(limit=200)}
        with pytest.raises(ExecutionFailed, match="cannot do 2"):
            client.launch("shapes.breaks", inputs={"x": 1}).outputs(DEADLINE_SECONDS)


async def test_the_facade_inside_a_running_loop(shapes: Installation) -> None:
    with SyncClient.connect(shapes.settings()) as client:
        assert client.launch("shapes.diamond", inputs={"x": 5}).outputs(DEADLINE_SECONDS) == {"o0": 25}


async def test_no_server(shapes: Installation) -> None:
    with pytest.raises(TemporalUnavailable, match=r"127\.0\.0\.1:1") as caught:
        await Client.connect(shapes.settings({"TEMPORAL_ADDRESS": "127.0.0.1:1"}))
    assert caught.value.hint is not None


def test_the_worker_serves_metrics_and_health(shapes: Installation) -> None:
    log = shapes.folder / "worker-0.log"
    line = eventually(lambda: [line for line in log.read_text().splitlines() if "metrics and health" in line], "the address")[0]
    address = line.partition("http://")[2].partition("/metrics")[0]

    def get(path: str) -> str:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    assert get("/healthz") == "ok\n"
    assert get("/readyz") == "ready\n"
    metrics = get("/metrics")
    assert 'flytemp_task_tries_total{outcome="succeeded",task="shapes.add"}' in metrics
    assert "flytemp_task_try_duration_seconds_bucket" in metrics
    assert "flytemp_build_info" in metrics
