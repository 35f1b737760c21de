"""Process of the command `flytemp worker`. TERM and INT drain the worker; after kill -9, another worker continues its work."""

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
from flytemp.task_queues import pool_queue_prefix, tasks_queue
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
"""Thresholds of the garbage collector. Python's defaults collect after some hundreds of new objects and traverse the objects of
all plans each time: with a graph of 20,000 nodes, this was a third of the time of a continue-as-new."""


def run_worker(settings: Settings) -> int:
    """Run a worker until TERM or INT, then drain it: running tasks get ``drain_seconds`` to end. Return the exit code.

    Raises:
        TemporalUnavailable, ConfigError, StoreError: the worker cannot start.
    """
    spare_garbage_collection()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        return runner.run(_serve(settings))


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's event loop, which saves a quarter of the CPU time of a pod; None (asyncio's own) on Windows."""
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


def spare_garbage_collection() -> None:
    """Make garbage collection less frequent, because the process keeps large plans in memory."""
    gc.set_threshold(*GARBAGE_THRESHOLDS)


async def _serve(settings: Settings) -> int:
    worker = settings.worker
    store = open_store(settings.store)
    await asyncio.to_thread(store.check_writable)
    temporal = await connect_temporal(settings, runtime=sdk_runtime(settings))
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
    """Run the workers until ``stop``. They drain in the given order: the interpreter runs until the tasks have ended."""
    running = [asyncio.create_task(worker.run()) for worker in workers]
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait([*running, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if stop.is_set():
        logger.info("stopping: no new work is accepted, running tasks may end")
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
    """Return the backend of the settings."""
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
    """Return the maximum number of concurrent tasks of the worker: processes or pods."""
    return settings.kubernetes.pods if settings.worker.backend == "kubernetes" else settings.worker.slots


def resolved_settings(settings: Settings) -> ExecutionSettings:
    """Return the settings for the executions that this worker resolves."""
    worker = settings.worker
    return ExecutionSettings(
        task_queue=tasks_queue(settings.task_queue, worker.pool),
        pool_queue_prefix=pool_queue_prefix(settings.task_queue),
        heartbeat_seconds=worker.heartbeat_seconds,
        max_parallelism=worker.max_parallelism,
        max_in_flight=worker.max_in_flight,
        starts_ahead=slots_of(settings) if worker.backend == "kubernetes" else 0,
        max_system_tries=worker.max_system_tries,
        continue_as_new_events=worker.continue_as_new_events,
        drain_seconds=worker.continue_as_new_drain_seconds,
        max_map_items=worker.max_map_items,
        max_dynamic_depth=worker.max_dynamic_depth,
        allowed_uris=_allowed_uris(settings),
    )


def _allowed_uris(settings: Settings) -> list[str] | None:
    """Return the prefixes of URIs that a launch may name; None with `flytemp dev`, whose user may read each file anyway."""
    if settings.dev is not None:
        return None
    own = (settings.raw_data_prefix, f"{settings.store}/data", f"{settings.store}/uploads")
    return [*dict.fromkeys((*own, *settings.allowed_uri_prefixes))]


def metrics_server(settings: Settings, metrics: WorkerMetrics, ready: Callable[[], bool]) -> MetricsServer:
    """Return a server on the address of the settings. If the default address is in use, choose a free port.

    Raises:
        ConfigError: the configured address cannot be used.
    """
    address = settings.worker.metrics_address
    try:
        return MetricsServer(address, metrics, ready)
    except ConfigError:
        if settings.origins.get("worker.metrics_address", "default") != "default":
            raise
    server = MetricsServer(f"{address.rpartition(':')[0]}:0", metrics, ready)
    logger.info("%s is in use, maybe by another worker; metrics are at %s", address, server.address)
    return server


def flytemp_version() -> str:
    """Return the version of the installed distribution."""
    try:
        return version("flytemp")
    except PackageNotFoundError:  # a source tree that is not installed
        return "0+unknown"


def sdk_runtime(settings: Settings) -> Runtime | None:
    """Return a runtime that serves the SDK's metrics on the configured address; None for the SDK's default runtime."""
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
    except (RuntimeError, ValueError) as error:  # raised by the SDK's core
        raise ConfigError(
            f"cannot listen on the SDK's metrics address {settings.worker.sdk_metrics_address!r}: {error}",
            hint="set another with FLYTEMP_WORKER_SDK_METRICS_ADDRESS; port 0 takes a free one",
        ) from error
    logger.info("Temporal's SDK metrics at http://%s/metrics", address)
    return runtime
