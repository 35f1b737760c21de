"""`@dynamic`: tasks that create a graph when they run. The graph then runs as part of the node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, Unpack, cast, overload

from flytemp.authoring.cache import unused_cache_options
from flytemp.authoring.callee import Entity, Step
from flytemp.authoring.context import current_context, use_context
from flytemp.authoring.definition_site import caller_site, function_site
from flytemp.authoring.errors import SettingsError
from flytemp.authoring.local import LocalGraphRun, run_dynamic
from flytemp.authoring.settings import TaskOptions, task_settings
from flytemp.authoring.task import Task, check_function
from flytemp.errors import NotSupported
from flytemp.literals.types import Json
from flytemp.spec.models import TaskSettings

P = ParamSpec("P")
R = TypeVar("R")


class DynamicTask(Task[P, R]):
    """Task whose function connects calls like that of a workflow, but with the values of its inputs.

    Attributes:
        hints: launch plans and workflows that the function may call.
    """

    kind = "dynamic"
    kind_name = "dynamic"

    def __init__(
        self,
        function: Callable[P, R],
        settings: TaskSettings,
        docs: Any = None,
        unused_options: Sequence[str] = (),
        hints: Sequence[Entity] = (),
    ) -> None:
        super().__init__(function, settings, docs, unused_options)
        self.hints = tuple(hints)

    def call_locally(self, values: Mapping[str, Any]) -> Any:
        """Create the graph, run it, and return its result."""
        interface = self.python_interface
        literals = interface.call_literals(values)
        with use_context(current_context()):
            return interface.output_values(run_dynamic(self, literals))

    def run_locally(self, literals: Mapping[str, Json], run: LocalGraphRun) -> dict[str, Json]:
        return run_dynamic(self, literals, run)

    def step(self) -> Step:
        return Step("dynamic", self.key)


@overload
def dynamic(_task_function: Callable[P, R], **options: Unpack[TaskOptions]) -> DynamicTask[P, R]: ...


@overload
def dynamic(_task_function: None = None, **options: Unpack[TaskOptions]) -> Callable[[Callable[P, R]], DynamicTask[P, R]]: ...


def dynamic(
    _task_function: Callable[P, R] | None = None, **options: Unpack[TaskOptions]
) -> DynamicTask[P, R] | Callable[[Callable[P, R]], DynamicTask[P, R]]:
    """Turn a function into a dynamic task: a task that builds a graph at run time.

    The inputs of the function are values, and the calls in it return promises. The function can loop over an input and can
    call itself. The options are those of `task`, and

    Args:
        node_dependency_hints: launch plans and workflows that the function may call and that the program does not mention
            elsewhere. They are registered with the task.

    Returns:
        The task, or a decorator if only options are given.

    Raises:
        SettingsError: (a ``ValueError``) as for `task`.
        NotSupported: the function is async, or as for `task`.
    """
    hints = _hints(options.get("node_dependency_hints"))
    settings = task_settings({name: value for name, value in options.items() if name != "node_dependency_hints"})

    def decorate(function: Callable[P, R]) -> DynamicTask[P, R]:
        check_function(function)
        made = DynamicTask(function, settings, options.get("docs"), unused_cache_options(options), hints)
        if made.is_async:
            raise NotSupported(
                f"@dynamic {made.name} is async, but it only connects tasks",
                hint="write def instead of async def; the tasks that it calls may be async",
                location=function_site(function).location,
            )
        return made

    return decorate if _task_function is None else decorate(_task_function)


def _hints(given: Any) -> tuple[Entity, ...]:
    hints = tuple(given or ())
    for hint in hints:
        if not hasattr(hint, "section"):
            raise SettingsError(
                f"node_dependency_hints contains {hint!r}, which is not a task, workflow or launch plan",
                hint="list the entities that only this function calls: [my_launch_plan]",
                location=caller_site().location,
            )
    return cast("tuple[Entity, ...]", hints)
