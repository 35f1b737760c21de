"""The worker process: `flytemp worker`. TERM or INT drains it; kill -9 loses nothing."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from importlib.metadata import PackageNotFoundError, version

from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.worker import Worker

from flytemp.config import Settings
from flytemp.errors import ConfigError
from flytemp.protocol.workflow import ExecutionSettings
from flytemp.store import open_store
from flytemp.store.object_store import ObjectStore
from flytemp.task_queues import tasks_queue
from flytemp.temporal.connection import connect_temporal
from flytemp_activities.backend import Backend
from flytemp_activities.executions import Executions
from flytemp_activities.noop import NoopBackend
from flytemp_activities.process import ProcessBackend, ProcessOptions, new_worker_id
from flytemp_activities.tasks import TaskRunner
from flytemp_activities.workflow_liveness import WorkflowLiveness
from flytemp_worker import kubernetes_setup
from flytemp_worker.assembly import control_worker, early_start, started, task_worker
from flytemp_worker.metrics import MetricsServer, WorkerMetrics

logger = logging.getLogger("flytemp.worker")


GARBAGE_THRESHOLDS = (50_000, 50, 100)
"""Python's own, with collections after some hundreds of new objects, look at all objects of all plans over and over while
a large one is built: with a graph of 20,000 nodes that was a third of the time that it took to continue as new."""


def run_worker(settings: Settings) -> int:
    """Serve until TERM or INT, then drain: running tasks get ``drain_seconds`` to end. Returns the exit code.

    Raises:
        TemporalUnavailable, ConfigError, StoreError: it cannot start.
    """
    spare_garbage_collection()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        return runner.run(_serve(settings))


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's event loop: a pod costs a quarter less of the worker's CPU with it. None, for asyncio's own, on Windows."""
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


def spare_garbage_collection() -> None:
    """Let this process, which holds large plans for long, collect garbage less often."""
    gc.set_threshold(*GARBAGE_THRESHOLDS)


async def _serve(settings: Settings) -> int:
    worker = settings.worker
    store = open_store(settings.store)
    await asyncio.to_thread(store.check_writable)
    temporal = await connect_temporal(settings, runtime=_runtime(settings))
    stop = _stop_on_signals()
    resolved = resolved_settings(settings)
    metrics = WorkerMetrics(flytemp_version())
    slots = slots_of(settings)
    drain = 0.0 if worker.backend == "kubernetes" else worker.drain_seconds  # pods outlive their worker
    metrics.slots.set(slots)
    backend = make_backend(settings, store)
    ready = False
    async with AsyncExitStack() as stack:
        if worker.metrics_address:
            server = metrics_server(settings, metrics, lambda: ready)
            server.start()
            stack.callback(server.close)
            logger.info("metrics and health at http://%s/metrics, /healthz, /readyz", server.address)
        executions = Executions(store)
        runner = TaskRunner(executions, backend, WorkflowLiveness(temporal), metrics, slots)
        await stack.enter_async_context(started(backend, runner))
        more = await kubernetes_setup.sweeping(backend, temporal, settings)
        workers = [task_worker(temporal, runner, resolved, slots=slots, drain_seconds=drain, more=more)]
        if not worker.pool:
            interceptors = early_start(runner, resolved)
            workers.append(
                control_worker(temporal, executions, settings.task_queue, resolved, settings.raw_data_prefix, interceptors)
            )
        ready = True
        queues = " and ".join(one.task_queue for one in reversed(workers))
        logger.info("polling %s in namespace %s, store %s", queues, temporal.namespace, store.uri)
        await _run_until(stop, workers)
        ready = False
    logger.info("drained and stopped")
    return 0


async def _run_until(stop: asyncio.Event, workers: list[Worker]) -> None:
    """Run the workers until ``stop``. They drain in the given order: the interpreter runs until the tasks are over."""
    running = [asyncio.create_task(worker.run()) for worker in workers]
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait([*running, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if stop.is_set():
        logger.info("stopping: no new work is taken, running tasks may end")
    for worker in workers:
        await worker.shutdown()
    await asyncio.gather(*running)


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def make_backend(settings: Settings, store: ObjectStore) -> Backend:
    """The backend that the settings name."""
    worker = settings.worker
    if worker.backend == "noop":
        return NoopBackend()
    if worker.backend == "kubernetes":
        return kubernetes_setup.backend(settings, store)
    options = ProcessOptions(
        slots=worker.slots,
        state_dir=settings.state_dir,
        grace_seconds=worker.grace_seconds,
        recycle_after=worker.recycle_after,
        pass_environment=worker.pass_environment,
    )
    return ProcessBackend(store, options, new_worker_id())


def slots_of(settings: Settings) -> int:
    """Tasks that this worker has in hand at once: processes, or pods."""
    return settings.kubernetes.pods if settings.worker.backend == "kubernetes" else settings.worker.slots


def resolved_settings(settings: Settings) -> ExecutionSettings:
    """The settings that executions resolved by this worker obey."""
    worker = settings.worker
    return ExecutionSettings(
        task_queue=tasks_queue(settings.task_queue, worker.pool),
        heartbeat_seconds=worker.heartbeat_seconds,
        max_parallelism=worker.max_parallelism,
        max_in_flight=worker.max_in_flight,
        starts_ahead=slots_of(settings) if worker.backend == "kubernetes" else 0,
        max_system_tries=worker.max_system_tries,
        continue_as_new_events=worker.continue_as_new_events,
        drain_seconds=worker.continue_as_new_drain_seconds,
        max_map_items=worker.max_map_items,
        max_dynamic_depth=worker.max_dynamic_depth,
    )


def metrics_server(settings: Settings, metrics: WorkerMetrics, ready: Callable[[], bool]) -> MetricsServer:
    """A server on the address of the settings. Where that is the default, which nobody chose, and taken: on a free port.

    Raises:
        ConfigError: the address that was chosen cannot be served.
    """
    address = settings.worker.metrics_address
    try:
        return MetricsServer(address, metrics, ready)
    except ConfigError:
        if settings.origins.get("worker.metrics_address", "default") != "default":
            raise
    server = MetricsServer(f"{address.rpartition(':')[0]}:0", metrics, ready)
    logger.info("%s is taken, perhaps by another worker; metrics are at %s", address, server.address)
    return server


def flytemp_version() -> str:
    """The installed distribution's version."""
    try:
        return version("flytemp")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "0+unknown"


def _runtime(settings: Settings) -> Runtime | None:
    """The SDK's own metrics, on the address given for them, in Prometheus' units; None: its default runtime."""
    address = settings.worker.sdk_metrics_address
    if not address:
        return None
    host, _, port = address.rpartition(":")
    if port == "0":
        with socket.socket() as probe:
            probe.bind((host, 0))
            address = f"{host}:{probe.getsockname()[1]}"
    config = PrometheusConfig(
        bind_address=address, counters_total_suffix=True, unit_suffix=True, durations_as_seconds=True
    )
    try:
        runtime = Runtime(telemetry=TelemetryConfig(metrics=config))
    except (RuntimeError, ValueError) as error:  # what temporalio's core raises
        raise ConfigError(
            f"the SDK's metrics address {settings.worker.sdk_metrics_address!r} cannot be served: {error}",
            hint="set another with FLYTEMP_WORKER_SDK_METRICS_ADDRESS; port 0 takes a free one",
        ) from error
    logger.info("Temporal's SDK metrics at http://%s/metrics", address)
    return runtime
