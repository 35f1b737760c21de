"""Hints at what to use instead of a name of flytekit that flytemp does not have."""

from __future__ import annotations

_TABLE = "write the table to a file and pass a FlyteFile"
_MODEL = "save the model to a file and return it as a FlyteFile"
_OBJECT = "save the object to a file and pass a FlyteFile, or register a TypeTransformer"
_TRANSFORMER = "return JSON and the types of flytemp.extend from your TypeTransformer; see docs/how-to/custom-types.md"
_CLIENT = "use flytemp.Client or the command `flytemp`"
_SETTINGS = "set it in flytemp.toml or a FLYTEMP_… variable; `flytemp config view` lists the settings"
_REPORT = "write the report to a file and return it as a FlyteFile"
_SERVICE = "call the service from a @task"
_WRITE_TASK = "write a @task, a ShellTask or a ContainerTask"
_ARGUMENTS = "use the arguments of @task"
_DEFAULT = "leave it out; docs/concepts/differences-from-flyte.md lists what this version does not support"

_ALTERNATIVES = {
    "flytekit": _DEFAULT,
    "flytekit.clients": _CLIENT,
    "flytekit.clis": "use the command `flytemp`",
    "flytekit.configuration": _SETTINGS,
    "flytekit.configuration.plugin": _DEFAULT,
    "flytekit.core.artifact": "return the value as an output, and give it to the next workflow as an input",
    "flytekit.core.base_sql_task": _SERVICE,
    "flytekit.core.base_task": _WRITE_TASK,
    "flytekit.core.checkpointer": "write intermediate results to files under current_context().raw_output_prefix",
    "flytekit.core.class_based_resolver": _WRITE_TASK,
    "flytekit.core.data_persistence": "use FlyteFile and FlyteDirectory, or fsspec below current_context().raw_output_prefix",
    "flytekit.core.legacy_map_task": "use flytemp.map_task",
    "flytekit.core.local_cache": "leave it out: results are not reused yet",
    "flytekit.core.python_auto_container": _WRITE_TASK,
    "flytekit.core.python_customized_container_task": _WRITE_TASK,
    "flytekit.core.python_function_task": _WRITE_TASK,
    "flytekit.core.reference": "use reference_task, reference_workflow or reference_launch_plan",
    "flytekit.core.reference_entity": "use reference_task, reference_workflow or reference_launch_plan",
    "flytekit.core.shim_task": _WRITE_TASK,
    "flytekit.core.task": _ARGUMENTS,
    "flytekit.core.type_engine": _TRANSFORMER,
    "flytekit.deck": _REPORT,
    "flytekit.experimental": "write a @workflow with a fixed graph, or a @dynamic task",
    "flytekit.extend.backend": _SERVICE,
    "flytekit.extras.cloud_pickle_resolver": "define the task at the top level of a module",
    "flytekit.extras.pytorch": _MODEL,
    "flytekit.extras.sklearn": _MODEL,
    "flytekit.extras.sqlite3": "use Python's module sqlite3 in a @task",
    "flytekit.extras.tensorflow": _MODEL,
    "flytekit.extras.webhook": "send the request from a @task",
    "flytekit.image_spec": "build the image and give its name: container_image='registry/name:tag'",
    "flytekit.interactive": "debug with `flytemp run --local` or a plain Python call; see docs/how-to/debug-locally.md",
    "flytekit.models": "use the types of flytemp.spec and flytemp.records, which describe entities and executions",
    "flytekit.models.core.types": _TRANSFORMER,
    "flytekit.models.literals": _TRANSFORMER,
    "flytekit.models.schedule": "start the launch plan from a Temporal Schedule, or from cron with `flytemp launch`",
    "flytekit.models.task": _ARGUMENTS,
    "flytekit.models.types": _TRANSFORMER,
    "flytekit.remote": _CLIENT,
    "flytekit.sensor": "check for the condition in a @task with retries, or wait for a person with wait_for_input",
    "flytekit.tools": _CLIENT,
    "flytekit.types.file.image": 'save the image to a file and pass a FlyteFile["png"]',
    "flytekit.types.iterator": "use list[…], or write a file and pass it as FlyteFile",
    "flytekit.types.numpy": _OBJECT,
    "flytekit.types.pickle": _OBJECT,
    "flytekit.types.schema": _TABLE,
    "flytekit.types.structured": _TABLE,
}
"""Hints by module; the longest path that contains the module counts."""

_NAMES = {
    "flytekit.core.python_function_task.EagerAsyncPythonFunctionTask": "write a @workflow with a fixed graph",
    "flytekit.core.task.TaskPlugins": "leave task_config out; resources, images and pod templates are arguments of @task",
}


def alternative(module: str, name: str) -> str:
    """Return the hint for a name that a module of flytekit defines."""
    if f"{module}.{name}" in _NAMES:
        return _NAMES[f"{module}.{name}"]
    while module not in _ALTERNATIVES:
        module = module.rpartition(".")[0]
    return _ALTERNATIVES[module]
