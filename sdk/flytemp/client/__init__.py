"""Client of flytemp: register programs, launch executions and follow them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flytemp.client.client import Client as Client
    from flytemp.client.handle import ExecutionHandle as ExecutionHandle
    from flytemp.client.sync import SyncClient as SyncClient
    from flytemp.client.sync import SyncExecutionHandle as SyncExecutionHandle
    from flytemp.client.waiting_gates import WaitingGate as WaitingGate
    from flytemp.records.launch import LaunchOptions as LaunchOptions

# Modules are imported at first use, because importing the client takes long.
_MODULES = {
    "Client": "flytemp.client.client",
    "ExecutionHandle": "flytemp.client.handle",
    "SyncClient": "flytemp.client.sync",
    "SyncExecutionHandle": "flytemp.client.sync",
    "LaunchOptions": "flytemp.records.launch",
    "WaitingGate": "flytemp.client.waiting_gates",
}

__all__ = ["Client", "ExecutionHandle", "LaunchOptions", "SyncClient", "SyncExecutionHandle", "WaitingGate"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
