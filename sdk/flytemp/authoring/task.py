"""Tasks: functions that run in a process or a pod of their own."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, NoReturn, ParamSpec, TypeVar, Unpack, cast, overload

from flytemp.authoring.cache import unused_cache_options
from flytemp.authoring.call_arguments import given_inputs
from flytemp.authoring.callee import Entity, LeafCallee, Step
from flytemp.authoring.compilation import current_compilation
from flytemp.authoring.definition_site import DefinitionSite, caller_site, function_site
from flytemp.authoring.docstrings import read_docstring
from flytemp.authoring.documentation import docs_spec
from flytemp.authoring.entity_registry import add_entity
from flytemp.authoring.errors import AuthoringError, SettingsError
from flytemp.authoring.interface import PythonInterface
from flytemp.authoring.local import LocalGraphRun, call_task, run_task
from flytemp.authoring.settings import TaskOptions, task_settings
from flytemp.authoring.signature import check_signature, interface_of
from flytemp.literals.types import Json
from flytemp.names import check_entity
from flytemp.spec.models import Docs, Interface, Section, TaskSettings, TaskSpec

P = ParamSpec("P")
R = TypeVar("R")


class Task(LeafCallee, Generic[P, R]):
    """Task made of a function. A call inside a workflow adds a node; a call anywhere else runs the function.

    Attributes:
        function: the user's function, including its decorators.
        name: ``module.function``, the name under which the task is registered.
        settings: the settings from the arguments of `task`.
        docs: the documentation.
        unused_options: a message for each argument of `task` that has no effect.
        site: the definition of the function.
    """

    kind_name = "task"
    section: Section = "tasks"
    kind: str = "python"
    is_reference = False
    unused_options: Sequence[str] = ()
    __name__: str

    def __init__(
        self, function: Callable[P, R], settings: TaskSettings, docs: Any = None, unused_options: Sequence[str] = ()
    ) -> None:
        self.function = function
        self.site: DefinitionSite = function_site(function)
        self.module = module_name(function)
        self.name = f"{self.module}.{function.__name__}"
        self.settings = settings
        self.unused_options = unused_options
        self._created = caller_site()
        self._docstring = read_docstring(function)
        self.docs: Docs = docs_spec(docs, self._docstring)
        functools.update_wrapper(self, function, updated=())
        add_entity(self)

    def __repr__(self) -> str:
        return f"<task {self.name}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        compilation = current_compilation()
        if compilation is not None:
            return cast(R, compilation.call(self, args, kwargs).result())
        values = given_inputs(self.python_interface, args, kwargs, caller_site().location)
        return cast(R, self.call_locally(values))

    def call_locally(self, values: Mapping[str, Any]) -> Any:
        """Run the task for a plain Python call, and return its result."""
        return call_task(self, values)

    def run_locally(self, literals: Mapping[str, Json], run: LocalGraphRun) -> dict[str, Json]:
        """Run the function and return its output literals."""
        return run_task(self, literals)

    @property
    def key(self) -> str:
        """The name of the task, by which nodes refer to it."""
        return self.name

    def step(self) -> Step:
        return Step("task", self.key)

    def entities(self) -> Sequence[Entity]:
        return (self,)

    def __rshift__(self, other: object) -> NoReturn:
        raise AuthoringError(
            f"task '{self.name}' must be called: only calls can be chained",
            hint=f"{self.function.__name__}() >> …",
            location=caller_site().location,
        )

    @property
    def python_interface(self) -> PythonInterface:
        """The inputs and outputs with their Python annotations.

        Raises:
            ProgramError: annotations or defaults are unusable; it has a problem for each.
        """
        return self._python_interface

    @cached_property
    def _python_interface(self) -> PythonInterface:
        return interface_of(self.function, f"task '{self.name}'", self.site, self._docstring)

    @property
    def interface(self) -> Interface:
        """The inputs and outputs for the spec. It raises like `python_interface`."""
        return self.python_interface.interface

    @property
    def task_function(self) -> Callable[P, R]:
        """The user's function under flytekit's name for it, for calls in tests without conversions."""
        return self.function

    @property
    def is_async(self) -> bool:
        """True if the function is a coroutine function."""
        return inspect.iscoroutinefunction(inspect.unwrap(self.function))

    @property
    def loader(self) -> str:
        """``module:attribute``, by which the runtime imports this object."""
        module, attribute = self._module_and_variable or (self.module, self.function.__name__)
        return f"{module}:{attribute}"

    @property
    def is_loadable(self) -> bool:
        """True if the runtime can import this task by `loader`."""
        return self._module_and_variable is not None

    @cached_property
    def _module_and_variable(self) -> tuple[str, str] | None:
        """The module and the variable that hold the task, preferably the variable with the function's name."""
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
        """Return ``__main__`` for the module of the running script, which other processes import by its file's name."""
        return "__main__" if module == self.module and self.function.__module__ == "__main__" else module

    def spec(self) -> TaskSpec:
        """Return the task for the spec. It raises like `python_interface`."""
        return TaskSpec(
            kind=self.kind,
            name=self.name,
            interface=self.interface,
            loader=self.loader,
            settings=self.settings,
            docs=self.docs,
            location=self.site.source(),
        )


PythonTask = Task
PythonFunctionTask = Task


@overload
def task(_task_function: Callable[P, R], **options: Unpack[TaskOptions]) -> Task[P, R]: ...


@overload
def task(_task_function: None = None, **options: Unpack[TaskOptions]) -> Callable[[Callable[P, R]], Task[P, R]]: ...


def task(
    _task_function: Callable[P, R] | None = None, **options: Unpack[TaskOptions]
) -> Task[P, R] | Callable[[Callable[P, R]], Task[P, R]]:
    """Turn a function into a task: ``@task`` or ``@task(retries=3, timeout=60, …)``.

    The annotations of the function are the types of the inputs and outputs. These are the main options:

    Args:
        retries: the number of attempts after the first one, or a `RetryStrategy` with a `Backoff` (by default exponential
            with jitter). A `NonRecoverableError` is not retried.
        timeout: the maximum time of one attempt, in seconds or as a timedelta; 0 means no limit.
        cache: a `Cache`, or True with ``cache_version``. It is stored, but this version runs every task.
        container_image: the name of an image, for backends that run containers.
        resources: `Resources`, where a pair is (request, limit). Alternatively, use ``requests`` and ``limits``.
        environment: environment variables of the task's process.
        pool: the name of the pool of workers that run the task, started by ``flytemp worker --pool NAME``. By default, the
            workers without a pool run it.
        reuse: what of a process the process backend uses for several tasks. By default ``"imports"``: each task has a process
            of its own, which has imported the module. ``"process"``: the tasks of the module with this setting run in one
            process, one after the other, and share its state, such as a model that is loaded once. ``"nothing"``: each task
            has a fresh process, for libraries that do not work in a forked process.
        secret_requests: a list of `Secret`.

    Returns:
        The task, or a decorator if only options are given.

    Raises:
        SettingsError: (a ``ValueError``) an option is unknown or invalid, or the function is defined inside another function.
        NotSupported: flytekit has the option, but this version of flytemp does not.
    """
    settings = task_settings(cast(dict[str, Any], options))

    def decorate(function: Callable[P, R]) -> Task[P, R]:
        check_function(function)
        return Task(function, settings, options.get("docs"), unused_cache_options(options))

    return decorate if _task_function is None else decorate(_task_function)


def check_function(function: Callable[..., Any]) -> None:
    """Check that a function can be a task.

    Raises:
        SignatureError: as for `check_signature`.
        SettingsError: ``function`` is a task already, not a function, a lambda, or defined inside another function.
    """
    site = function_site(function) if callable(function) else caller_site()
    if isinstance(function, Task):
        raise SettingsError(f"task '{function.name}' is already a task", hint="use @task once", location=site.location)
    if not callable(function) or isinstance(function, type) or not getattr(function, "__name__", ""):
        raise SettingsError(
            f"@task expects a function, got {function!r}",
            hint="define a function; use functools.wraps in a decorator",
            location=site.location,
        )
    check_signature(function, f"task '{module_name(function)}.{function.__name__}'", site)
    if "<locals>" in function.__qualname__ and not is_test_module(function.__module__):
        raise SettingsError(
            f"the task function {function.__name__} is defined inside another function, so other processes cannot import it",
            hint="define it at the top level of its module; if a decorator wraps it, use functools.wraps",
            location=site.location,
        )
    if function.__name__ == "<lambda>":
        raise SettingsError("a lambda cannot be a task", hint="define a function", location=site.location)


def is_test_module(module: str) -> bool:
    """Return True for a module ``test_…``, where tasks may be defined inside functions."""
    return module.rpartition(".")[2].startswith("test_")


def module_name(function: Callable[..., Any]) -> str:
    """Return the name of the module under which a function is registered. A script has the name of its file.

    Raises:
        InvalidName: the name of the module cannot be part of an entity's name.
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
    """Return a script's module name relative to its import root, the first parent directory without ``__init__.py``."""
    parts = [file.stem]
    directory = file.resolve().parent
    while (directory / "__init__.py").is_file():
        parts.insert(0, directory.name)
        directory = directory.parent
    return ".".join(parts)
