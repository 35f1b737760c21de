"""References to registered tasks, workflows and launch plans, by typed stubs.

The body of a stub never runs. When the program is registered, `flytemp.compiler.link` replaces the stub of a task or workflow
by the registered entity in its present version.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, ParamSpec, TypeVar, cast

from flytemp.authoring.call_arguments import given_inputs
from flytemp.authoring.compilation import Compilation, current_compilation
from flytemp.authoring.context import current_context
from flytemp.authoring.definition_site import DefinitionSite, caller_site, function_site
from flytemp.authoring.docstrings import read_docstring
from flytemp.authoring.documentation import docs_spec
from flytemp.authoring.errors import RemoteOnly, SettingsError
from flytemp.authoring.graph import Graph
from flytemp.authoring.interface import PythonInterface
from flytemp.authoring.launch_plan import LaunchPlan
from flytemp.authoring.local import LocalGraphRun
from flytemp.authoring.signature import check_signature, interface_of
from flytemp.authoring.task import Task, module_name
from flytemp.authoring.workflow import Workflow, WorkflowSettings
from flytemp.errors import InvalidName, NotSupported
from flytemp.literals.transfer import LOCAL_FILES
from flytemp.literals.types import Json
from flytemp.names import LOCAL_VERSION, EntityKind, EntityPointer
from flytemp.spec.models import LaunchPlanReference, Section, TaskSettings, TaskSpec, WorkflowSpec

P = ParamSpec("P")
R = TypeVar("R")


class _Stub:
    """Common base of the three kinds of references.

    Attributes:
        pointer: the id of the registered entity; without a version, it is the latest one when the program is registered.
        function: raises NotSupported, until a test replaces it by a mock.
    """

    is_reference = True
    kind_name: str
    section: Section
    name: str
    site: DefinitionSite
    pointer: EntityPointer
    function: Callable[..., Any]
    _stub: Callable[..., Any]

    def _point(self, function: Callable[..., Any], reference: EntityPointer) -> None:
        self.pointer = reference
        self.name = reference.name
        self.site = function_site(function)
        self.module = module_name(function)
        check_signature(function, f"{self.kind_name} '{self.name}'", self.site)
        self._docstring = read_docstring(function)
        self._stub = function
        functools.update_wrapper(cast("Callable[..., Any]", self), function, updated=())

        @functools.wraps(function)
        def refusing(*args: Any, **kwargs: Any) -> NoReturn:
            raise RemoteOnly(
                f"{self.kind_name} '{self.name}' is a reference to {reference} and has no code here. You must mock this out.",
                hint="in a test: with flytemp.testing.task_mock(it) as mock: mock.return_value = …",
                location=caller_site().location,
            )

        self.function = refusing

    @functools.cached_property
    def _python_interface(self) -> PythonInterface:
        return interface_of(self._stub, f"{self.kind_name} '{self.name}'", self.site, self._docstring)

    @property
    def id(self) -> EntityPointer:
        """The id of the registered entity, under flytekit's name."""
        return self.pointer

    @property
    def key(self) -> str:
        """The URN, by which nodes refer to the entity."""
        return str(self.pointer)

    def run_locally(self, literals: Mapping[str, Json], run: LocalGraphRun) -> dict[str, Json]:
        """Call the mock and return its output literals.

        Raises:
            NotSupported: there is no mock.
        """
        interface = self._python_interface
        return interface.output_literals(interface.call(self.function, interface.input_values(literals)), LOCAL_FILES)

    def _call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Add a node inside a workflow; anywhere else, call the mock."""
        compilation = current_compilation()
        if compilation is not None:
            self._check_caller(compilation)
            return compilation.call(cast(Any, self), args, kwargs).result()
        interface = self._python_interface
        values = given_inputs(interface, args, kwargs, caller_site().location)
        literals = interface.call_literals(values)
        return interface.output_values(self.run_locally(literals, cast(Any, None)))

    def _check_caller(self, compilation: Compilation) -> None:
        """Check that the caller is not a dynamic task, whose graph is created after the registration.

        Raises:
            SettingsError: (a ``ValueError``) a dynamic task calls a referenced task or workflow.
        """
        if self.section != "launch_plans" and compilation.owner.startswith("task "):
            raise SettingsError(
                f"{self.kind_name} '{self.name}' is a reference, which the dynamic {compilation.owner} cannot call",
                hint="call it before the dynamic task and pass its result in, or use reference_launch_plan",
                location=caller_site().location,
            )


class ReferenceTask(_Stub, Task[P, R]):
    """Reference to a registered task."""

    kind = "reference"

    def __init__(self, function: Callable[P, R], reference: EntityPointer) -> None:
        self._point(function, reference)
        self.settings = TaskSettings()
        self._created = caller_site()
        self.docs = docs_spec(None, self._docstring)

    def __repr__(self) -> str:
        return f"<reference to task {self.pointer}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return cast(R, self._call(args, kwargs))

    def spec(self) -> TaskSpec:
        """Return the stub for the spec; `flytemp.compiler.link` replaces it."""
        return TaskSpec(
            kind="reference",
            name=self.name,
            interface=self.interface,
            loader="",
            reference=self.key,
            docs=self.docs,
            location=self.site.source(),
        )


class ReferenceWorkflow(_Stub, Workflow[P, R]):
    """Reference to a registered workflow."""

    def __init__(self, function: Callable[P, R], reference: EntityPointer) -> None:
        self._point(function, reference)
        self.options = WorkflowSettings()
        self._graph = None
        self.docs = docs_spec(None, self._docstring)

    def __repr__(self) -> str:
        return f"<reference to workflow {self.pointer}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return cast(R, self._call(args, kwargs))

    def graph(self) -> Graph:
        """Raise NotSupported: the nodes are only in the registry.

        Raises:
            NotSupported: in every case.
        """
        raise NotSupported(
            f"workflow '{self.name}' is a reference to {self.pointer}: its nodes are only in the registry",
            hint=f"flytemp graph {self.pointer} draws them",
            location=self.site.location,
        )

    def spec(self) -> WorkflowSpec:
        """Return the stub for the spec; `flytemp.compiler.link` replaces it."""
        return WorkflowSpec(
            name=self.name, interface=self.interface, reference=self.key, docs=self.docs, location=self.site.source()
        )


class ReferenceLaunchPlan(_Stub, LaunchPlan[R]):
    """Reference to a registered launch plan. A node that calls it starts an execution of its own."""

    def __init__(self, function: Callable[..., R], reference: EntityPointer) -> None:
        self._point(function, reference)
        self.default_inputs = self.fixed_inputs = {}
        self.workflow = cast("Workflow[..., R]", _remote(reference))

    def __repr__(self) -> str:
        return f"<reference to launch plan {self.pointer}>"

    def __call__(self, *args: Any, **inputs: Any) -> R:
        return cast(R, self._call(args, inputs))

    @property
    def python_interface(self) -> PythonInterface:
        return self._python_interface

    @property
    def is_default(self) -> bool:
        """True: like default launch plans, two references are the same if their workflows are."""
        return True

    def reference(self) -> LaunchPlanReference:
        """Return the reference for a document that calls the launch plan.

        A running dynamic task replaces placeholders by the project, domain and version of the task.
        """
        task = current_context().task_id
        known = self.pointer if task is None else self.pointer.resolved(task.project, task.domain, _registered(task.version))
        return LaunchPlanReference(
            name=self.name,
            project=known.project,
            domain=known.domain,
            version=known.version,
            interface=self._python_interface.interface,
        )


def _registered(version: str) -> str | None:
    """Return a version if it is registered; the version of a local run is not."""
    return None if version == LOCAL_VERSION else version


@dataclass(frozen=True)
class _Remote:
    """Workflow of a referenced launch plan. Only its name is known."""

    name: str
    is_reference: bool = True


@functools.cache
def _remote(reference: EntityPointer) -> _Remote:
    return _Remote(reference.name)


def reference_task(
    project: str, domain: str, name: str, version: str | None = None
) -> Callable[[Callable[P, R]], ReferenceTask[P, R]]:
    """Turn a stub into a reference to a registered task::

        @reference_task(project="shared", domain="production", name="lib.clean", version="v3")
        def clean(rows: list[str]) -> list[str]: ...

    Args:
        project: the project of the task, or ``{{ registration.project }}`` for that of this program's registration.
        domain: the domain of the task, or ``{{ registration.domain }}``.
        name: the name of the task.
        version: the version of the task, or ``{{ registration.version }}``; empty or None for the latest one when this
            program is registered.

    Returns:
        A decorator for the stub, a function with the task's annotations.

    Raises:
        SettingsError: (a ``ValueError``) the id is invalid.
    """
    reference = _reference(EntityKind.TASK, project, domain, name, version)
    return lambda function: ReferenceTask(_checked(function, "reference_task"), reference)


def reference_workflow(
    project: str, domain: str, name: str, version: str | None = None
) -> Callable[[Callable[P, R]], ReferenceWorkflow[P, R]]:
    """Turn a stub into a reference to a registered workflow. Arguments and errors are those of `reference_task`."""
    reference = _reference(EntityKind.WORKFLOW, project, domain, name, version)
    return lambda function: ReferenceWorkflow(_checked(function, "reference_workflow"), reference)


def reference_launch_plan(
    project: str, domain: str, name: str, version: str | None = None
) -> Callable[[Callable[..., R]], ReferenceLaunchPlan[R]]:
    """Turn a stub into a reference to a registered launch plan. Arguments and errors are those of `reference_task`."""
    reference = _reference(EntityKind.LAUNCH_PLAN, project, domain, name, version)
    return lambda function: ReferenceLaunchPlan(_checked(function, "reference_launch_plan"), reference)


def _reference(kind: EntityKind, project: str, domain: str, name: str, version: str | None) -> EntityPointer:
    try:
        return EntityPointer(kind, project, domain, name, version or None)
    except InvalidName as error:
        raise SettingsError(error.message, hint=error.hint, location=caller_site().location) from error


def _checked(function: Callable[P, R], decorator: str) -> Callable[P, R]:
    if not callable(function) or isinstance(function, type | Task | Workflow | LaunchPlan):
        raise SettingsError(
            f"@{decorator} expects a function with annotations, got {function!r}",
            hint="def its_name(x: int) -> int: ...",
            location=caller_site().location,
        )
    return function
