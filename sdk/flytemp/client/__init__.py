"""Register, launch and follow executions from any Python program."""

from flytemp.client.client import Client
from flytemp.client.handle import ExecutionHandle
from flytemp.client.sync import SyncClient, SyncExecutionHandle
from flytemp.records.launch import LaunchOptions

__all__ = ["Client", "ExecutionHandle", "LaunchOptions", "SyncClient", "SyncExecutionHandle"]
