"""Tasks: functions that run in a process or container of their own."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NoReturn, ParamSpec, TypeVar, Unpack, cast, overload

from flytemp.authoring.arguments import given_inputs
from flytemp.authoring.callee import Entity, LeafCallee, Section, Step
from flytemp.authoring.compilation import current_compilation
from flytemp.authoring.definition_site import DefinitionSite, caller_site, function_site
from flytemp.authoring.docs import docs_spec
from flytemp.authoring.docstrings import read_docstring
from flytemp.authoring.entity_registry import record
from flytemp.authoring.errors import AuthoringError, SettingsError
from flytemp.authoring.interface import PythonInterface, interface_of
from flytemp.authoring.local import call_task, run_task
from flytemp.authoring.settings import TaskOptions, task_settings
from flytemp.errors import Problem
from flytemp.literals.types import Json
from flytemp.names import check_entity
from flytemp.spec.models import Docs, Interface, TaskSettings, TaskSpec

if TYPE_CHECKING:
    from flytemp.authoring.local import Scope

P = ParamSpec("P")
R = TypeVar("R")


class Task(LeafCallee, Generic[P, R]):
    """A function as a task. Calling it inside a workflow adds a node; anywhere else it runs the function.

    Attributes:
        function: what the user wrote, decorators included.
        name: ``module.function``, the name it is registered under.
        settings: what `task` was told.
    """

    noun = "task"
    section: Section = "tasks"
    kind: str = "python"
    is_reference = False
    __name__: str

    def __init__(self, function: Callable[P, R], settings: TaskSettings, docs: Any = None) -> None:
        self.function = function
        self.place: DefinitionSite = function_site(function)
        self.module = module_name(function)
        self.name = f"{self.module}.{function.__name__}"
        self.settings = settings
        self._created = caller_site()
        self._docstring = read_docstring(function)
        self.docs: Docs = docs_spec(docs, self._docstring)
        functools.update_wrapper(self, function, updated=())
        record(self)

    def __repr__(self) -> str:
        return f"<task {self.name}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        compilation = current_compilation()
        if compilation is not None:
            return cast(R, compilation.call(self, args, kwargs).result())
        values = given_inputs(self.python_interface, args, kwargs, caller_site().location)
        return cast(R, self.call_here(values))

    def call_here(self, values: Mapping[str, Any]) -> Any:
        """What a plain Python call does with its inputs."""
        return call_task(self, values)

    def run_here(self, literals: Mapping[str, Json], scope: Scope) -> dict[str, Json]:
        """Run the function on literals, to its end."""
        return run_task(self, literals)

    @property
    def key(self) -> str:
        """What nodes call it by."""
        return self.name

    def step(self) -> Step:
        return Step("task", self.key)

    def entities(self) -> Sequence[Entity]:
        return (self,)

    def problems(self) -> Sequence[Problem]:
        """What is wrong with a task whose interface is sound."""
        from flytemp.compiler.validate import task_problems

        return task_problems(self)

    def __rshift__(self, other: object) -> NoReturn:
        raise AuthoringError(
            f"task '{self.name}' is not called: only calls can be chained",
            hint=f"{self.function.__name__}() >> …",
            location=caller_site().location,
        )

    @property
    def python_interface(self) -> PythonInterface:
        """Inputs and outputs, with their Python annotations.

        Raises:
            ProgramError: with a problem for each annotation or default that is not usable.
        """
        return self._python_interface

    @cached_property
    def _python_interface(self) -> PythonInterface:
        return interface_of(self.function, f"task '{self.name}'", self.place, self._docstring)

    @property
    def interface(self) -> Interface:
        """Inputs and outputs as the spec has them; see `python_interface`."""
        return self.python_interface.interface

    @property
    def is_async(self) -> bool:
        return inspect.iscoroutinefunction(inspect.unwrap(self.function))

    @property
    def loader(self) -> str:
        """``module:attribute``: where the runtime finds this object again."""
        module, attribute = self._home or (self.module, self.function.__name__)
        return f"{module}:{attribute}"

    @property
    def is_loadable(self) -> bool:
        """Whether importing the module and taking the attribute gives this very task."""
        return self._home is not None

    @cached_property
    def _home(self) -> tuple[str, str] | None:
        """The module and variable that hold the task: by the function's own name, else by whatever name it was given."""
        for module in dict.fromkeys((self.module, self._created.module)):
            loaded = sys.modules.get(self._module_at_runtime(module))
            variables = vars(loaded) if loaded is not None else {}
            if variables.get(self.function.__name__) is self:
                return module, self.function.__name__
            for name, value in variables.items():
                if value is self:
                    return module, name
        return None

    def _module_at_runtime(self, module: str) -> str:
        """A script's module is called ``__main__`` in its own process and by its file's name in any other."""
        return "__main__" if module == self.module and self.function.__module__ == "__main__" else module

    def spec(self) -> TaskSpec:
        """The task as it is registered; see `python_interface` for what it raises."""
        return TaskSpec(
            kind=self.kind,
            name=self.name,
            interface=self.interface,
            loader=self.loader,
            settings=self.settings,
            docs=self.docs,
            location=self.place.source(),
        )


PythonTask = Task
PythonFunctionTask = Task


@overload
def task(_task_function: Callable[P, R], /, **options: Unpack[TaskOptions]) -> Task[P, R]: ...


@overload
def task(_task_function: None = None, /, **options: Unpack[TaskOptions]) -> Callable[[Callable[P, R]], Task[P, R]]: ...


def task(
    _task_function: Callable[P, R] | None = None, /, **options: Unpack[TaskOptions]
) -> Task[P, R] | Callable[[Callable[P, R]], Task[P, R]]:
    """Make a function a task: ``@task`` or ``@task(retries=3, timeout=60, …)``.

    Inputs and outputs have the types that the function's annotations say. The main options:

    Args:
        retries: more attempts after the first, when the function raises anything but `NonRecoverableError`:
            a number, or a `RetryStrategy` with its own `Backoff` (default: exponential with jitter).
        timeout: seconds (or a timedelta) that one attempt may take; 0 means no limit.
        cache: a `Cache`, or True with ``cache_version``. Stored; this version runs every task.
        container_image: name of an image; used by backends that run containers.
        resources: `Resources`; a pair is (request, limit). Or ``requests`` and ``limits``.
        environment: variables for the task's process, texts.
        pool: name of the pool of workers that run the task, started by ``flytemp worker --pool NAME``. By default, the workers
            without a pool run it.
        secret_requests: a list of `Secret`.

    Raises:
        SettingsError: (a ``ValueError``) for an unknown or malformed option, or a function inside a function.
        NotSupported: for options of flytekit that this version does not have.
    """
    settings = task_settings(cast(dict[str, Any], options))

    def decorate(function: Callable[P, R]) -> Task[P, R]:
        check_function(function)
        return Task(function, settings, options.get("docs"))

    return decorate if _task_function is None else decorate(_task_function)


def check_function(function: Callable[..., Any]) -> None:
    """
    Raises:
        SettingsError: ``function`` cannot be a task.
    """
    place = function_site(function) if callable(function) else caller_site()
    if isinstance(function, Task):
        raise SettingsError(f"task '{function.name}' is already a task", hint="use @task once", location=place.location)
    if not callable(function) or isinstance(function, type) or not getattr(function, "__name__", ""):
        raise SettingsError(
            f"@task makes functions tasks, and {function!r} is none",
            hint="def a function; give a decorator's wrapper functools.wraps",
            location=place.location,
        )
    if "<locals>" in function.__qualname__ and not is_test_module(function.__module__):
        raise SettingsError(
            f"the task function {function.__name__} is defined inside another function, where no other process can find it",
            hint="define it at the top level of its module; if a decorator wraps it, give the wrapper functools.wraps",
            location=place.location,
        )
    if function.__name__ == "<lambda>":
        raise SettingsError("a lambda cannot be a task", hint="def a function", location=place.location)


def is_test_module(module: str) -> bool:
    """Whether a module's name begins with ``test_``: there, and only there, a task may be inside a function."""
    return module.rpartition(".")[2].startswith("test_")


def module_name(function: Callable[..., Any]) -> str:
    """The module a function is registered under: a script's own (``__main__``) goes by its file's name.

    Raises:
        InvalidName: when the module's name cannot be part of an entity's name.
    """
    module = function.__module__
    if module != "__main__":
        return check_entity(module)
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name not in ("__main__", None):
        return check_entity(str(spec.name).removesuffix(".__main__"))
    file = getattr(main, "__file__", None)
    return check_entity(_script_module(Path(file)) if file else "__main__")


def _script_module(file: Path) -> str:
    """A script's module name below its import root: the first directory upwards without ``__init__.py``."""
    parts = [file.stem]
    directory = file.resolve().parent
    while (directory / "__init__.py").is_file():
        parts.insert(0, directory.name)
        directory = directory.parent
    return ".".join(parts)
