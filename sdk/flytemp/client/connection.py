"""Connect to Temporal as its own configuration says: profiles, ``TEMPORAL_*``, and flytemp's settings on top."""

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

from flytemp.client.payloads import DATA_CONVERTER
from flytemp.config import Settings
from flytemp.errors import ConfigError, TemporalUnavailable

CONNECT_SECONDS = 10.0
"""How long a connection may take before Temporal counts as not running."""


async def connect_temporal(
    settings: Settings, *, runtime: Runtime | None = None, plugins: list[Plugin] | None = None
) -> TemporalClient:
    """A connected Temporal client for ``settings``.

    Raises:
        TemporalUnavailable: nothing answers at the address, or it refuses the credentials.
        ConfigError: the profile does not load, or the namespace does not exist.
    """
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
            raise ConfigError(f"the Temporal at {where} has no such namespace", hint=hint) from error
        raise TemporalUnavailable(
            f"the Temporal at {where} answered {error.status.name}: {error.message}",
            hint="check the address, the profile and its credentials",
        ) from error
    return client


def _reason(error: Exception) -> str:
    """What the system said, out of the text of temporalio's core: ``… Os { code: 111, message: "Connection refused" }``."""
    found = re.search(r'(?:message|error): "([^"]+)"', str(error))
    return found[1] if found else str(error) or "timed out"


def _connect_options(settings: Settings) -> dict[str, Any]:
    if settings.dev is not None:  # the embedded server: no profile's credentials belong there
        return {"target_host": settings.address, "namespace": settings.namespace}
    try:
        options: dict[str, Any] = dict(
            ClientConfig.load_client_connect_config(
                profile=settings.profile, config_file=str(settings.config_file) if settings.config_file else None
            )
        )
    except Exception as error:  # temporalio raises plain RuntimeError and ValueError from its core
        raise ConfigError(
            f"the Temporal profile does not load: {error}", hint="temporal config list shows it"
        ) from error
    options["target_host"] = settings.address
    options["namespace"] = settings.namespace
    return options


async def _check_namespace(client: TemporalClient) -> None:
    await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
