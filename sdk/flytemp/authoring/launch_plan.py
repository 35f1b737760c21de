"""Launch plans: workflows with default and fixed inputs, under names of their own."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Generic, TypeVar, Unpack, cast

from flytemp.authoring.call_arguments import require_inputs
from flytemp.authoring.callee import Entity, LeafCallee, Step
from flytemp.authoring.compilation import current_compilation
from flytemp.authoring.definition_site import DefinitionSite, caller_site
from flytemp.authoring.docstrings import Docstring
from flytemp.authoring.documentation import Documentation, docs_spec
from flytemp.authoring.entity_registry import program_entities
from flytemp.authoring.errors import CallError, DuplicateLaunchPlan, MissingInputs, SettingsError
from flytemp.authoring.interface import PythonInterface, accepts_none
from flytemp.authoring.launch_plan_options import LaunchPlanOptions, checked_options
from flytemp.authoring.local import LocalGraphRun, call_workflow, run_workflow
from flytemp.authoring.workflow import Workflow
from flytemp.errors import InputError, Problem
from flytemp.literals.transfer import inline_values
from flytemp.literals.types import Json
from flytemp.records.launch import LaunchOptions
from flytemp.spec.models import Docs, LaunchPlanReference, LaunchPlanSpec, Section

R = TypeVar("R")


class LaunchPlan(LeafCallee, Generic[R]):
    """Workflow with default inputs, which a caller can replace, and fixed inputs, which a caller cannot.

    A call inside a workflow adds a node that starts an execution of its own. A call anywhere else runs the workflow.

    Attributes:
        name: the name of the launch plan.
        workflow: the workflow.
        default_inputs: the default inputs by name.
        fixed_inputs: the fixed inputs by name.
        options: the options of the executions.
        docs: the documentation.
        site: the line that created the launch plan.
    """

    kind_name = "launch plan"
    section: Section = "launch_plans"
    is_reference = False
    settings = None

    def __init__(
        self,
        name: str,
        workflow: Workflow[..., R],
        default_inputs: Mapping[str, Any] | None,
        fixed_inputs: Mapping[str, Any] | None,
        options: LaunchOptions,
        site: DefinitionSite,
        documentation: Documentation | None = None,
    ) -> None:
        self.name = name
        self.workflow = workflow
        self.default_inputs: Mapping[str, Any] = MappingProxyType(dict(default_inputs or {}))
        self.fixed_inputs: Mapping[str, Any] = MappingProxyType(dict(fixed_inputs or {}))
        self.options = options
        self.site = site
        self.docs: Docs = docs_spec(documentation, Docstring())

    def __repr__(self) -> str:
        return f"<launch plan {self.name} of {self.workflow.name}>"

    # ------------------------------------------------------------------------------------ creation

    @classmethod
    def create(
        cls,
        name: str,
        workflow: Workflow[..., R],
        default_inputs: Mapping[str, Any] | None = None,
        fixed_inputs: Mapping[str, Any] | None = None,
        **options: Unpack[LaunchPlanOptions],
    ) -> LaunchPlan[R]:
        """Create a launch plan.

        Args:
            name: the name of the launch plan.
            workflow: the workflow to launch.
            default_inputs: inputs that a caller can replace.
            fixed_inputs: inputs that a caller cannot replace.
            **options: settings of the executions; see `LaunchPlanOptions`.

        Raises:
            DuplicateLaunchPlan: (an ``AssertionError``) the program has a launch plan of this name.
            SettingsError: (a ``ValueError``) an option is invalid.
            NotSupported: flytekit has the option, but this version of flytemp does not.
        """
        site = caller_site()
        _check_workflow(workflow, site)
        settings = checked_options(name, options, site)
        plan = cls(name, workflow, default_inputs, fixed_inputs, settings, site, options.get("docs"))
        plans = program_entities().launch_plans
        if name in plans and not _same_line(plans[name], plan):
            raise DuplicateLaunchPlan(
                f"Launch plan named {name} was already created! Make sure your names are unique.",
                hint=f"the other one is at {plans[name].site.location}",
                location=site.location,
            )
        plans[name] = plan
        return plan

    @classmethod
    def get_or_create(
        cls,
        workflow: Workflow[..., R],
        name: str | None = None,
        default_inputs: Mapping[str, Any] | None = None,
        fixed_inputs: Mapping[str, Any] | None = None,
        **options: Unpack[LaunchPlanOptions],
    ) -> LaunchPlan[R]:
        """Return the launch plan of this name, and create it if there is none.

        Args:
            workflow: the workflow to launch.
            name: the name of the launch plan; None for the default launch plan of the workflow.
            default_inputs: inputs that a caller can replace.
            fixed_inputs: inputs that a caller cannot replace.
            **options: settings of the executions; see `LaunchPlanOptions`.

        Raises:
            DuplicateLaunchPlan: (an ``AssertionError``) the program has a launch plan of this name with other values.
            SettingsError: (a ``ValueError``) an option is invalid, or the default launch plan has inputs or options.
            NotSupported: flytekit has the option, but this version of flytemp does not.
        """
        site = caller_site()
        if name is None:
            if default_inputs or fixed_inputs or any(value is not None for value in options.values()):
                raise SettingsError(
                    "only named launch plans can have inputs or settings: the default launch plan of a workflow has none",
                    hint="give the launch plan a name",
                    location=site.location,
                )
            return _default(workflow, site)
        _check_workflow(workflow, site)
        settings = checked_options(name, options, site)
        plan = cls(name, workflow, default_inputs, fixed_inputs, settings, site, options.get("docs"))
        existing = program_entities().launch_plans.get(name)
        if existing is None or _same_line(existing, plan):
            program_entities().launch_plans[name] = plan
            return plan
        different = _difference(existing, plan)
        if different:
            raise DuplicateLaunchPlan(
                f"Trying to create two launch plans for workflow '{workflow.name}' both named '{name}' but with different "
                f"values for '{different}'",
                hint=f"the other one is at {existing.site.location}",
                location=site.location,
            )
        return existing

    @staticmethod
    def get_default_launch_plan(ctx: Any, workflow: Workflow[..., R]) -> LaunchPlan[R]:
        """Return the default launch plan, which has the name of the workflow, no inputs and no settings.

        Args:
            ctx: flytekit's context, which is not used.
            workflow: the workflow.
        """
        return _default(workflow, caller_site())

    # ------------------------------------------------------------------------------------ calls

    def __call__(self, *args: Any, **inputs: Any) -> R:
        """Run the workflow with the launch plan's inputs, or add a node inside a workflow.

        Raises:
            CallError: (an ``AssertionError``) an argument is positional, unknown or a fixed input.
            MissingInputs: (a ``TypeError``) an input has no value.
        """
        location = caller_site().location
        if args:
            raise CallError(f"launch plan '{self.name}' takes keyword arguments only", location=location)
        for name in inputs:
            if name in self.fixed_inputs:
                raise CallError(
                    f"input '{name}' of launch plan '{self.name}' is fixed and cannot be overridden",
                    hint="launch the workflow itself, or another launch plan",
                    location=location,
                )
        compilation = current_compilation()
        if compilation is not None:
            return cast(R, compilation.call(self, (), inputs).result())
        interface = self.workflow.python_interface
        for name in [*inputs, *self.default_inputs, *self.fixed_inputs]:
            if name not in interface.parameters:
                raise CallError(f"invalid input {name} of launch plan '{self.name}'", location=location)
        values = {**self._usable_defaults(), **inputs, **self.fixed_inputs}
        try:
            require_inputs(interface, values, location)
        except MissingInputs as error:
            raise MissingInputs(f"launch plan '{self.name}': {error.message}", hint=error.hint, location=location) from None
        return cast(R, call_workflow(self.workflow, values))

    @property
    def python_interface(self) -> PythonInterface:
        """The interface for callers: without fixed inputs, and with the launch plan's defaults.

        Raises:
            ProgramError: the interface of the workflow is invalid.
        """
        whole = self.workflow.python_interface
        defaults, _, _ = self.literals()
        inputs = tuple(
            variable.model_copy(update={"required": False, "default": defaults[variable.name]})
            if variable.name in defaults
            else variable
            for variable in whole.interface.inputs
            if variable.name not in self.fixed_inputs
        )
        return PythonInterface(
            owner=f"launch plan '{self.name}'",
            parameters={name: parameter for name, parameter in whole.parameters.items() if name not in self.fixed_inputs},
            outputs=whole.outputs,
            output_class=whole.output_class,
            interface=whole.interface.model_copy(update={"inputs": inputs}),
        )

    @property
    def key(self) -> str:
        """The name of the launch plan, by which nodes refer to it."""
        return self.name

    @property
    def is_default(self) -> bool:
        """True for the default launch plan, which has the name of its workflow and no inputs."""
        return self.name == self.workflow.name and not self.default_inputs and not self.fixed_inputs

    def step(self) -> Step:
        return Step("launch_plan", self.key)

    def entities(self) -> Sequence[Entity]:
        return (self,)

    def reference(self) -> LaunchPlanReference:
        """Return the reference for a document that calls the launch plan."""
        return LaunchPlanReference(name=self.name, interface=self.python_interface.interface)

    def run_locally(self, literals: Mapping[str, Json], run: LocalGraphRun) -> dict[str, Json]:
        """Run the workflow and return its output literals. The run is independent: the workflow may contain the caller."""
        defaults, fixed, _ = self.literals()
        return run_workflow(self.workflow, {**self.workflow.python_interface.defaults, **defaults, **literals, **fixed})

    # ------------------------------------------------------------------------------------ registration

    def literals(self) -> tuple[dict[str, Json], dict[str, Json], list[Problem]]:
        """Return the literals of the default inputs, those of the fixed inputs, and the problems of both."""
        problems: list[Problem] = []
        return self._converted(self._usable_defaults(), problems), self._converted(self.fixed_inputs, problems), problems

    def _converted(self, values: Mapping[str, Any], problems: list[Problem]) -> dict[str, Json]:
        interface = self.workflow.python_interface
        literals: dict[str, Json] = {}
        for name, value in values.items():
            if name not in interface.parameters:
                known = ", ".join(interface.parameters) or "none"
                problems.append(self._problem(f"invalid input {name}", f"inputs of '{self.workflow.name}': {known}"))
                continue
            try:
                with inline_values():
                    literals.update(interface.input_literals({name: value}))
            except InputError as error:
                problems.append(self._problem(error.message, error.hint))
        for name in self.default_inputs.keys() & self.fixed_inputs.keys():
            if values is self.fixed_inputs:
                problems.append(self._problem(f"input {name} is both a default and a fixed input", "keep one of them"))
        return literals

    @property
    def warnings(self) -> list[Problem]:
        """Warnings of default inputs that are None although their types do not include None. They have no effect."""
        hint = "os.getenv returns None if the variable is not set"
        usable = self._usable_defaults()
        return [
            self._problem(f"the default of input '{name}' is None, which is not of its type: it has no effect", hint)
            for name in self.default_inputs
            if name not in usable
        ]

    def _usable_defaults(self) -> dict[str, Any]:
        """Return the default inputs without those of `warnings`, as Flyte does."""
        types = self.workflow.python_interface.input_types
        return {
            name: value
            for name, value in self.default_inputs.items()
            if value is not None or name not in types or accepts_none(types[name])
        }

    def _problem(self, message: str, hint: str | None) -> Problem:
        return Problem(f"launch plan '{self.name}': {message}", self.site.location, hint)

    def spec(self) -> LaunchPlanSpec:
        """Return the launch plan for the spec, without invalid inputs; see `literals`."""
        defaults, fixed, _ = self.literals()
        return LaunchPlanSpec(
            name=self.name,
            workflow=self.workflow.name,
            variable=self._variable(),
            default_inputs=defaults,
            fixed_inputs=fixed,
            docs=self.docs,
            location=self.site.source(),
            **self.options.model_dump(),
        )

    def _variable(self) -> str:
        """Return the variable of its module that holds the launch plan, or an empty text."""
        variables = vars(sys.modules[self.site.module]) if self.site.module in sys.modules else {}
        return next((name for name, value in variables.items() if value is self), "")


def default_launch_plan(workflow: Workflow[..., R]) -> LaunchPlan[R]:
    """Return the default launch plan of a workflow, with the workflow's definition site. Each call returns the same object."""
    if workflow.default_launch_plan is None:
        workflow.default_launch_plan = LaunchPlan(workflow.name, workflow, None, None, LaunchOptions(), workflow.site)
    return workflow.default_launch_plan


def _default(workflow: Workflow[..., R], site: DefinitionSite) -> LaunchPlan[R]:
    _check_workflow(workflow, site)
    return default_launch_plan(workflow)


def _check_workflow(given: object, site: DefinitionSite) -> None:
    if not isinstance(given, Workflow):
        raise SettingsError(
            f"a launch plan expects a workflow, got {given!r}", hint="wrap the task in a @workflow", location=site.location
        )


def _same_line(one: LaunchPlan[Any], other: LaunchPlan[Any]) -> bool:
    """Return True for the same statement in a module that was loaded again, as by notebooks and test runners."""
    return one.site.location == other.site.location and one.workflow is not other.workflow


def _difference(one: LaunchPlan[Any], other: LaunchPlan[Any]) -> str | None:
    if one.workflow is not other.workflow:
        return "workflow"
    for name in ("default_inputs", "fixed_inputs", "docs"):
        if getattr(one, name) != getattr(other, name):
            return name
    return next(
        (name for name in LaunchOptions.model_fields if getattr(one.options, name) != getattr(other.options, name)), None
    )
