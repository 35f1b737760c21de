"""Connections to Temporal from its own configuration (profiles, ``TEMPORAL_*``) and flytemp's settings."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client as TemporalClient
from temporalio.client import Plugin
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from flytemp.config import Settings, dev_state
from flytemp.errors import ConfigError, TemporalUnavailable
from flytemp.temporal.payloads import DATA_CONVERTER

_DEV_START_SECONDS, _DEV_POLL_SECONDS = 60.0, 0.1

CONNECT_SECONDS = 10.0
"""Seconds after which a connection attempt fails with `TemporalUnavailable`."""


async def connect_temporal(
    settings: Settings, *, runtime: Runtime | None = None, plugins: list[Plugin] | None = None
) -> TemporalClient:
    """Return a connected Temporal client.

    Args:
        settings: address, namespace and profile.
        runtime: Temporal's runtime, for its metrics and logs; the default one if None.
        plugins: plugins of the client.

    Raises:
        TemporalUnavailable: no server answers at the address, or the server refuses the credentials.
        ConfigError: the profile cannot be loaded, or the namespace does not exist.
    """
    await _await_dev_server(settings)
    options = _connect_options(settings)
    where = f"{settings.address}, namespace {settings.namespace} ({settings.origins.get('address', 'default')})"
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            client = await TemporalClient.connect(
                **options, data_converter=DATA_CONVERTER, runtime=runtime, plugins=plugins or []
            )
            await _check_namespace(client)
    except (RuntimeError, TimeoutError) as error:
        raise TemporalUnavailable(
            f"no Temporal server answers at {where}: {_reason(error)}",
            hint="start one with flytemp dev, or set TEMPORAL_ADDRESS, --address or --profile",
        ) from error
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            hint = f"create it: temporal operator namespace create --namespace {settings.namespace}"
            raise ConfigError(f"the Temporal server at {where} has no such namespace", hint=hint) from error
        raise TemporalUnavailable(
            f"the Temporal server at {where} answered {error.status.name}: {error.message}",
            hint="check the address, the profile and its credentials",
        ) from error
    return client


async def _await_dev_server(settings: Settings) -> None:
    """Wait while the `flytemp dev` of the project starts, for a limited time."""
    state = settings.dev
    for _ in range(int(_DEV_START_SECONDS / _DEV_POLL_SECONDS)):
        if state is None or not state.is_starting or not state.is_alive:
            return
        await asyncio.sleep(_DEV_POLL_SECONDS)
        state = dev_state.read(settings.project_dir)


def _reason(error: Exception) -> str:
    """Return the system's message from the text of temporalio's core: ``… Os { code: 111, message: "Connection refused" }``."""
    found = re.search(r'(?:message|error): "([^"]+)"', str(error))
    return found[1] if found else str(error) or "timed out"


def _connect_options(settings: Settings) -> dict[str, Any]:
    if settings.dev is not None:  # the embedded server takes no credentials of a profile
        return {"target_host": settings.address, "namespace": settings.namespace}
    try:
        options: dict[str, Any] = dict(
            ClientConfig.load_client_connect_config(
                profile=settings.profile, config_file=str(settings.config_file) if settings.config_file else None
            )
        )
    except Exception as error:  # temporalio raises plain RuntimeError and ValueError from its core
        raise ConfigError(f"cannot load the Temporal profile: {error}", hint="temporal config list shows it") from error
    options["target_host"] = settings.address
    options["namespace"] = settings.namespace
    return options


async def _check_namespace(client: TemporalClient) -> None:
    await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
