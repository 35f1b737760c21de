"""`@dynamic`: a task that makes a graph when it runs, and that graph runs in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack, cast, overload

from flytemp.authoring.callee import Entity, Step
from flytemp.authoring.context import current_context, use_context
from flytemp.authoring.definition_site import caller_site, function_site
from flytemp.authoring.errors import SettingsError
from flytemp.authoring.local import run_generated
from flytemp.authoring.settings import TaskOptions, task_settings
from flytemp.authoring.task import Task, check_function
from flytemp.errors import NotSupported
from flytemp.literals.types import Json
from flytemp.spec.models import TaskSettings

if TYPE_CHECKING:
    from flytemp.authoring.local import Scope

P = ParamSpec("P")
R = TypeVar("R")


class DynamicTask(Task[P, R]):
    """A function that connects calls, as a workflow's does, but with the values of its inputs."""

    kind = "dynamic"
    noun = "dynamic"

    def __init__(self, function: Callable[P, R], settings: TaskSettings, docs: Any = None, hints: Sequence[Entity] = ()) -> None:
        super().__init__(function, settings, docs)
        self.hints = tuple(hints)

    def call_here(self, values: Mapping[str, Any]) -> Any:
        """Make the graph and run it."""
        interface = self.python_interface
        literals = {**interface.defaults, **interface.input_literals(values)}
        with use_context(current_context()):
            return interface.output_values(run_generated(self, literals))

    def run_here(self, literals: Mapping[str, Json], scope: Scope) -> dict[str, Json]:
        return run_generated(self, literals, scope)

    def step(self) -> Step:
        return Step("dynamic", self.key)


@overload
def dynamic(_task_function: Callable[P, R], /, **options: Unpack[TaskOptions]) -> DynamicTask[P, R]: ...


@overload
def dynamic(_task_function: None = None, /, **options: Unpack[TaskOptions]) -> Callable[[Callable[P, R]], DynamicTask[P, R]]: ...


def dynamic(
    _task_function: Callable[P, R] | None = None, /, **options: Unpack[TaskOptions]
) -> DynamicTask[P, R] | Callable[[Callable[P, R]], DynamicTask[P, R]]:
    """Make a function a task that connects calls when it runs: its inputs have values, what it calls gives promises.

    So a loop may go over an input, and the function may call itself. Options are those of `task`, and

    Args:
        node_dependency_hints: launch plans and workflows that it may call and that nothing else mentions: they are
            registered with it.

    Raises:
        SettingsError: (a ``ValueError``) as `task`.
        NotSupported: for an async function, and as `task`.
    """
    hints = _hints(options.get("node_dependency_hints"))
    settings = task_settings({name: value for name, value in options.items() if name != "node_dependency_hints"})

    def decorate(function: Callable[P, R]) -> DynamicTask[P, R]:
        check_function(function)
        made = DynamicTask(function, settings, options.get("docs"), hints)
        if made.is_async:
            raise NotSupported(
                f"@dynamic {made.name} is async: it only connects tasks and awaits nothing",
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
                f"node_dependency_hints holds {hint!r}, which is no task, workflow or launch plan",
                hint="it lists what the function calls and nothing else mentions: [my_launch_plan]",
                location=caller_site().location,
            )
    return cast("tuple[Entity, ...]", hints)
