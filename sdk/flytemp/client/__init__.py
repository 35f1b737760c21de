"""Register, launch and follow executions from any Python program."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flytemp.client.client import Client as Client
    from flytemp.client.gates import WaitingGate as WaitingGate
    from flytemp.client.handle import ExecutionHandle as ExecutionHandle
    from flytemp.client.sync import SyncClient as SyncClient
    from flytemp.client.sync import SyncExecutionHandle as SyncExecutionHandle
    from flytemp.records.launch import LaunchOptions as LaunchOptions

# Loaded when first used: activities share the modules beside this one, and need no client.
_WHERE = {
    "Client": "flytemp.client.client",
    "ExecutionHandle": "flytemp.client.handle",
    "SyncClient": "flytemp.client.sync",
    "SyncExecutionHandle": "flytemp.client.sync",
    "LaunchOptions": "flytemp.records.launch",
    "WaitingGate": "flytemp.client.gates",
}

__all__ = ["Client", "ExecutionHandle", "LaunchOptions", "SyncClient", "SyncExecutionHandle", "WaitingGate"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)
