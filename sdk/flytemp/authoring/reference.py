"""References: tasks, workflows and launch plans of other projects, domains or versions, by typed stubs.

The body of a stub is never run. When the program is registered, what the registry holds under the name takes the place of
a task or workflow, with the version that it has then; see `flytemp.compiler.link`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar, cast

from flytemp.authoring.arguments import given_inputs
from flytemp.authoring.callee import Section
from flytemp.authoring.compilation import Compilation, Graph, current_compilation
from flytemp.authoring.definition_site import DefinitionSite, caller_site, function_site
from flytemp.authoring.docs import docs_spec
from flytemp.authoring.docstrings import read_docstring
from flytemp.authoring.errors import SettingsError
from flytemp.authoring.interface import PythonInterface, interface_of
from flytemp.authoring.launch_plan import LaunchPlan
from flytemp.authoring.task import Task, module_name
from flytemp.authoring.workflow import Workflow, WorkflowSettings
from flytemp.errors import InvalidName, NotSupported, Problem, ProgramError
from flytemp.literals.types import Json
from flytemp.names import EntityId, EntityKind
from flytemp.spec.models import LaunchPlanReference, TaskSettings, TaskSpec, WorkflowSpec

if TYPE_CHECKING:
    from flytemp.authoring.local import Scope

P = ParamSpec("P")
R = TypeVar("R")


class _Stub:
    """What the three kinds of references have in common.

    Attributes:
        pointer: what it points to; without a version, the latest when the program is registered.
        function: refuses to run, until a test puts a mock in its place.
    """

    is_reference = True
    noun: str
    section: Section
    name: str
    place: DefinitionSite
    pointer: EntityId
    function: Callable[..., Any]
    _stub: Callable[..., Any]

    def _point(self, function: Callable[..., Any], reference: EntityId) -> None:
        self.pointer = reference
        self.name = reference.name
        self.place = function_site(function)
        self.module = module_name(function)
        self._docstring = read_docstring(function)
        self._stub = function
        functools.update_wrapper(cast("Callable[..., Any]", self), function, updated=())

        @functools.wraps(function)
        def refusing(*args: Any, **kwargs: Any) -> NoReturn:
            raise NotSupported(
                f"{self.noun} '{self.name}' is a reference, {reference}: it cannot run in this process",
                hint="mock it in a test: with flytemp.testing.task_mock(it) as mock: mock.return_value = …",
                location=caller_site().location,
            )

        self.function = refusing

    @functools.cached_property
    def _python_interface(self) -> PythonInterface:
        return interface_of(self._stub, f"{self.noun} '{self.name}'", self.place, self._docstring)

    @property
    def key(self) -> str:
        """What nodes call it by: its URN."""
        return str(self.pointer)

    def problems(self) -> Sequence[Problem]:
        """What is wrong with its signature. Whether it leads anywhere is found out when it is registered."""
        try:
            _ = self._python_interface
        except ProgramError as error:
            return error.problems
        return ()

    def run_here(self, literals: Mapping[str, Json], scope: Scope) -> dict[str, Json]:
        """Call the mock.

        Raises:
            NotSupported: there is none.
        """
        interface = self._python_interface
        return interface.output_literals(interface.call(self.function, interface.input_values(literals)))

    def _call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """A node inside a workflow; elsewhere the mock's answer."""
        compilation = current_compilation()
        if compilation is not None:
            self._check_caller(compilation)
            return compilation.call(cast(Any, self), args, kwargs).result()
        interface = self._python_interface
        values = given_inputs(interface, args, kwargs, caller_site().location)
        literals = {**interface.defaults, **interface.input_literals(values)}
        return interface.output_values(self.run_here(literals, cast(Any, None)))

    def _check_caller(self, compilation: Compilation) -> None:
        """A dynamic task makes its graph when nothing is registered any more.

        Raises:
            SettingsError: (a ``ValueError``) when one calls it.
        """
        if self.section != "launch_plans" and compilation.owner.startswith("task "):
            raise SettingsError(
                f"{self.noun} '{self.name}' is a reference: in {compilation.owner}, which is dynamic, those are not supported",
                hint="call it before the dynamic task and pass its result in, or refer to a launch plan",
                location=caller_site().location,
            )


class ReferenceTask(_Stub, Task[P, R]):
    """A task that is registered already."""

    kind = "reference"

    def __init__(self, function: Callable[P, R], reference: EntityId) -> None:
        self._point(function, reference)
        self.settings = TaskSettings()
        self._created = caller_site()
        self.docs = docs_spec(None, self._docstring)

    def __repr__(self) -> str:
        return f"<reference to task {self.pointer}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return cast(R, self._call(args, kwargs))

    def spec(self) -> TaskSpec:
        """The stub, which `flytemp.compiler.link` replaces."""
        return TaskSpec(
            kind="reference",
            name=self.name,
            interface=self.interface,
            loader="",
            reference=self.key,
            docs=self.docs,
            location=self.place.source(),
        )


class ReferenceWorkflow(_Stub, Workflow[P, R]):
    """A workflow that is registered already."""

    def __init__(self, function: Callable[P, R], reference: EntityId) -> None:
        self._point(function, reference)
        self.options = WorkflowSettings()
        self._graph = None
        self.docs = docs_spec(None, self._docstring)

    def __repr__(self) -> str:
        return f"<reference to workflow {self.pointer}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return cast(R, self._call(args, kwargs))

    def graph(self) -> Graph:
        """
        Raises:
            NotSupported: its nodes are in the registry, and not here.
        """
        raise NotSupported(
            f"workflow '{self.name}' is a reference, {self.pointer}: its nodes are not here",
            hint=f"flytemp graph {self.pointer} draws them",
            location=self.place.location,
        )

    def spec(self) -> WorkflowSpec:
        """The stub, which `flytemp.compiler.link` replaces."""
        return WorkflowSpec(
            name=self.name, interface=self.interface, reference=self.key, docs=self.docs, location=self.place.source()
        )


class ReferenceLaunchPlan(_Stub, LaunchPlan[R]):
    """A launch plan that is registered already: a node that calls it starts an execution of its own."""

    def __init__(self, function: Callable[..., R], reference: EntityId) -> None:
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
        """As with default launch plans, two are the same when their workflows are."""
        return True

    def reference(self) -> LaunchPlanReference:
        """What a document that calls it says of it."""
        return LaunchPlanReference(
            name=self.name,
            project=self.pointer.project,
            domain=self.pointer.domain,
            version=self.pointer.version,
            interface=self._python_interface.interface,
        )


@dataclass(frozen=True)
class _Remote:
    """The workflow of a referenced launch plan, of which nothing is known here."""

    name: str
    is_reference: bool = True


@functools.cache
def _remote(reference: EntityId) -> _Remote:
    return _Remote(reference.name)


def reference_task(
    project: str, domain: str, name: str, version: str | None = None
) -> Callable[[Callable[P, R]], ReferenceTask[P, R]]:
    """Make a stub stand for a registered task::

        @reference_task(project="shared", domain="production", name="lib.clean", version="v3")
        def clean(rows: list[str]) -> list[str]: ...

    Args:
        version: empty or None for the latest one when this program is registered.

    Raises:
        SettingsError: (a ``ValueError``) for a name that nothing can have.
    """
    reference = _reference(EntityKind.TASK, project, domain, name, version)
    return lambda function: ReferenceTask(_checked(function, "reference_task"), reference)


def reference_workflow(
    project: str, domain: str, name: str, version: str | None = None
) -> Callable[[Callable[P, R]], ReferenceWorkflow[P, R]]:
    """Make a stub stand for a registered workflow; see `reference_task`."""
    reference = _reference(EntityKind.WORKFLOW, project, domain, name, version)
    return lambda function: ReferenceWorkflow(_checked(function, "reference_workflow"), reference)


def reference_launch_plan(
    project: str, domain: str, name: str, version: str | None = None
) -> Callable[[Callable[..., R]], ReferenceLaunchPlan[R]]:
    """Make a stub stand for a registered launch plan; see `reference_task`."""
    reference = _reference(EntityKind.LAUNCH_PLAN, project, domain, name, version)
    return lambda function: ReferenceLaunchPlan(_checked(function, "reference_launch_plan"), reference)


def _reference(kind: EntityKind, project: str, domain: str, name: str, version: str | None) -> EntityId:
    try:
        return EntityId(kind, project, domain, name, version or None)
    except InvalidName as error:
        raise SettingsError(error.message, hint=error.hint, location=caller_site().location) from error


def _checked(function: Callable[P, R], decorator: str) -> Callable[P, R]:
    if not callable(function) or isinstance(function, type | Task | Workflow | LaunchPlan):
        raise SettingsError(
            f"@{decorator} needs a function with types, and {function!r} is none",
            hint="def its_name(x: int) -> int: ...",
            location=caller_site().location,
        )
    return function
