"""Typed Python workflows for ML and data, run durably by Temporal.

    from flytemp import task, workflow

    @task
    def double(x: int) -> int:
        return 2 * x

    @workflow
    def twice(x: int) -> int:
        return double(x=double(x=x))

Names are those of flytekit where it has them; `flytemp.porting` finds those that are not listed here. Each name is imported at
its first use, so that importing this package is fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from flytemp.porting.finder import install, other_names

if TYPE_CHECKING:
    from flytemp.authoring.cache import Cache as Cache
    from flytemp.authoring.cache_policy import CachePolicy as CachePolicy
    from flytemp.authoring.cache_policy import VersionParameters as VersionParameters
    from flytemp.authoring.compilation import create_node as create_node
    from flytemp.authoring.conditional import conditional as conditional
    from flytemp.authoring.container import ContainerTask as ContainerTask
    from flytemp.authoring.context import ExecutionId as ExecutionId
    from flytemp.authoring.context import ExecutionParameters as ExecutionParameters
    from flytemp.authoring.context import FlyteContext as FlyteContext
    from flytemp.authoring.context import FlyteContextManager as FlyteContextManager
    from flytemp.authoring.context import SecretsManager as SecretsManager
    from flytemp.authoring.context import TaskId as TaskId
    from flytemp.authoring.context import current_context as current_context
    from flytemp.authoring.documentation import Description as Description
    from flytemp.authoring.documentation import Documentation as Documentation
    from flytemp.authoring.documentation import SourceCode as SourceCode
    from flytemp.authoring.dynamic import dynamic as dynamic
    from flytemp.authoring.echo import Echo as Echo
    from flytemp.authoring.execution_options import Annotations as Annotations
    from flytemp.authoring.execution_options import Labels as Labels
    from flytemp.authoring.execution_options import Options as Options
    from flytemp.authoring.execution_options import RawOutputDataConfig as RawOutputDataConfig
    from flytemp.authoring.execution_options import SecurityContext as SecurityContext
    from flytemp.authoring.gates import approve as approve
    from flytemp.authoring.gates import sleep as sleep
    from flytemp.authoring.gates import wait_for_input as wait_for_input
    from flytemp.authoring.image import ImageSpec as ImageSpec
    from flytemp.authoring.imperative import ImperativeWorkflow as ImperativeWorkflow
    from flytemp.authoring.interface import kwtypes as kwtypes
    from flytemp.authoring.launch_plan import LaunchPlan as LaunchPlan
    from flytemp.authoring.mapping import array_node_map_task as array_node_map_task
    from flytemp.authoring.mapping import map_task as map_task
    from flytemp.authoring.overrides import TaskMetadata as TaskMetadata
    from flytemp.authoring.pod import PodTemplate as PodTemplate
    from flytemp.authoring.reference import reference_launch_plan as reference_launch_plan
    from flytemp.authoring.reference import reference_task as reference_task
    from flytemp.authoring.reference import reference_workflow as reference_workflow
    from flytemp.authoring.resources import Resources as Resources
    from flytemp.authoring.resources import Secret as Secret
    from flytemp.authoring.retry import Backoff as Backoff
    from flytemp.authoring.retry import RetryStrategy as RetryStrategy
    from flytemp.authoring.retry import Timeout as Timeout
    from flytemp.authoring.settings import DeckField as DeckField
    from flytemp.authoring.task import PythonFunctionTask as PythonFunctionTask
    from flytemp.authoring.task import PythonTask as PythonTask
    from flytemp.authoring.task import Task as Task
    from flytemp.authoring.task import task as task
    from flytemp.authoring.unsupported import ConcurrencyPolicy as ConcurrencyPolicy
    from flytemp.authoring.unsupported import CronSchedule as CronSchedule
    from flytemp.authoring.unsupported import Deck as Deck
    from flytemp.authoring.unsupported import Email as Email
    from flytemp.authoring.unsupported import Environment as Environment
    from flytemp.authoring.unsupported import FixedRate as FixedRate
    from flytemp.authoring.unsupported import FlyteRemote as FlyteRemote
    from flytemp.authoring.unsupported import HashMethod as HashMethod
    from flytemp.authoring.unsupported import Notification as Notification
    from flytemp.authoring.unsupported import OnSchedule as OnSchedule
    from flytemp.authoring.unsupported import PagerDuty as PagerDuty
    from flytemp.authoring.unsupported import Slack as Slack
    from flytemp.authoring.unsupported import StructuredDataset as StructuredDataset
    from flytemp.authoring.unsupported import eager as eager
    from flytemp.authoring.workflow import Workflow as Workflow
    from flytemp.authoring.workflow import WorkflowFailurePolicy as WorkflowFailurePolicy
    from flytemp.authoring.workflow import workflow as workflow
    from flytemp.client import Client as Client
    from flytemp.client import ExecutionHandle as ExecutionHandle
    from flytemp.client import LaunchOptions as LaunchOptions
    from flytemp.client import SyncClient as SyncClient
    from flytemp.client import SyncExecutionHandle as SyncExecutionHandle
    from flytemp.core.type_engine import BatchSize as BatchSize
    from flytemp.exceptions.user import FlyteRecoverableException as FlyteRecoverableException
    from flytemp.exceptions.user import NonRecoverableError as NonRecoverableError
    from flytemp.extras.tasks.shell import OutputLocation as OutputLocation
    from flytemp.extras.tasks.shell import ShellTask as ShellTask
    from flytemp.loggers import logger as logger
    from flytemp.types import directory as directory
    from flytemp.types import file as file
    from flytemp.types import iterator as iterator
    from flytemp.types.directory import FlyteDirectory as FlyteDirectory
    from flytemp.types.error import FlyteError as FlyteError
    from flytemp.types.file import FlyteFile as FlyteFile

_MODULES = {
    "authoring.cache": ("Cache",),
    "authoring.cache_policy": ("CachePolicy", "VersionParameters"),
    "authoring.container": ("ContainerTask",),
    "authoring.context": (
        "ExecutionId",
        "ExecutionParameters",
        "FlyteContext",
        "FlyteContextManager",
        "SecretsManager",
        "TaskId",
        "current_context",
    ),
    "authoring.conditional": ("conditional",),
    "authoring.documentation": ("Description", "Documentation", "SourceCode"),
    "authoring.dynamic": ("dynamic",),
    "authoring.echo": ("Echo",),
    "authoring.gates": ("approve", "sleep", "wait_for_input"),
    "authoring.image": ("ImageSpec",),
    "authoring.imperative": ("ImperativeWorkflow",),
    "authoring.launch_plan": ("LaunchPlan",),
    "authoring.mapping": ("array_node_map_task", "map_task"),
    "authoring.overrides": ("TaskMetadata",),
    "authoring.compilation": ("create_node",),
    "authoring.execution_options": ("Annotations", "Labels", "Options", "RawOutputDataConfig", "SecurityContext"),
    "authoring.pod": ("PodTemplate",),
    "authoring.reference": ("reference_launch_plan", "reference_task", "reference_workflow"),
    "authoring.resources": ("Resources", "Secret"),
    "authoring.retry": ("Backoff", "RetryStrategy", "Timeout"),
    "authoring.settings": ("DeckField",),
    "authoring.task": ("PythonFunctionTask", "PythonTask", "Task", "task"),
    "authoring.interface": ("kwtypes",),
    "authoring.unsupported": (
        "ConcurrencyPolicy",
        "CronSchedule",
        "Deck",
        "Email",
        "Environment",
        "FixedRate",
        "FlyteRemote",
        "HashMethod",
        "Notification",
        "OnSchedule",
        "PagerDuty",
        "Slack",
        "StructuredDataset",
        "eager",
    ),
    "authoring.workflow": ("Workflow", "WorkflowFailurePolicy", "workflow"),
    "client": ("Client", "ExecutionHandle", "LaunchOptions", "SyncClient", "SyncExecutionHandle"),
    "core.type_engine": ("BatchSize",),
    "loggers": ("logger",),
    "extras.tasks.shell": ("OutputLocation", "ShellTask"),
    "exceptions.user": ("FlyteRecoverableException", "NonRecoverableError"),
    "types.error": ("FlyteError",),
    "types.directory": ("FlyteDirectory",),
    "types.file": ("FlyteFile",),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__version__ = "0.1.0"
# `from flytemp import *` is for workflow code, which needs no client.
__all__ = [
    "Annotations",
    "Backoff",
    "BatchSize",
    "Cache",
    "CachePolicy",
    "ConcurrencyPolicy",
    "ContainerTask",
    "CronSchedule",
    "Deck",
    "DeckField",
    "Description",
    "Documentation",
    "Echo",
    "Email",
    "Environment",
    "ExecutionId",
    "ExecutionParameters",
    "FixedRate",
    "FlyteContext",
    "FlyteContextManager",
    "FlyteDirectory",
    "FlyteError",
    "FlyteFile",
    "FlyteRecoverableException",
    "FlyteRemote",
    "HashMethod",
    "ImageSpec",
    "ImperativeWorkflow",
    "Labels",
    "LaunchPlan",
    "NonRecoverableError",
    "Notification",
    "OnSchedule",
    "Options",
    "OutputLocation",
    "PagerDuty",
    "PodTemplate",
    "PythonFunctionTask",
    "PythonTask",
    "RawOutputDataConfig",
    "Resources",
    "RetryStrategy",
    "Secret",
    "SecretsManager",
    "SecurityContext",
    "ShellTask",
    "Slack",
    "SourceCode",
    "StructuredDataset",
    "Task",
    "TaskId",
    "TaskMetadata",
    "Timeout",
    "VersionParameters",
    "Workflow",
    "WorkflowFailurePolicy",
    "__version__",
    "approve",
    "array_node_map_task",
    "conditional",
    "create_node",
    "current_context",
    "dynamic",
    "eager",
    "kwtypes",
    "logger",
    "map_task",
    "reference_launch_plan",
    "reference_task",
    "reference_workflow",
    "sleep",
    "task",
    "wait_for_input",
    "workflow",
]


_other_name = other_names(__name__)
install()


def __getattr__(name: str) -> object:
    if name not in _HOME:
        return _other_name(name)
    value = getattr(importlib.import_module(f"flytemp.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
