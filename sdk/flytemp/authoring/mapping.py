"""`map_task`: calls of a task, workflow or launch plan for each item of a list."""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Optional, TypeAlias

from flytemp.authoring.binding import Constant, Items
from flytemp.authoring.cache import unused_cache_options
from flytemp.authoring.call_arguments import given_inputs
from flytemp.authoring.callee import Entity, LeafCallee, Step
from flytemp.authoring.compilation import Compilation, current_compilation
from flytemp.authoring.definition_site import caller_site
from flytemp.authoring.errors import CallError, SettingsError
from flytemp.authoring.interface import PythonInterface, plain_interface
from flytemp.authoring.launch_plan import LaunchPlan
from flytemp.authoring.local import LocalGraphRun
from flytemp.authoring.node import Node
from flytemp.authoring.overrides import TaskMetadata, metadata_overrides, overridden
from flytemp.authoring.retry import shown
from flytemp.authoring.task import Task
from flytemp.authoring.workflow import Workflow
from flytemp.error_text import add_note
from flytemp.errors import InputError, Location, Problem
from flytemp.literals.sizes import check_lengths
from flytemp.literals.types import Json
from flytemp.spec.bounds import MAX_COUNT
from flytemp.spec.models import MapSpec, TaskSettings

if TYPE_CHECKING:
    from flytemp.authoring.binding import Bound

Target: TypeAlias = Task[..., Any] | Workflow[..., Any] | LaunchPlan[Any]


@dataclass(frozen=True)
class MapOptions:
    """Options of a map; see `map_task`."""

    concurrency: int | None = None
    min_successes: int | None = None
    min_success_ratio: float = 1.0
    run_all: bool = False
    items_per_task: int = 1

    @property
    def may_lack(self) -> bool:
        """True if some items may have no result."""
        return self.min_successes is not None or self.min_success_ratio < 1

    def needed(self, total: int) -> int:
        """Return the number of calls that must succeed, at most ``total``."""
        return min(total, max(self.min_successes or 0, math.ceil(self.min_success_ratio * total)))


class MapCall(LeafCallee):
    """Call of a map. ``over`` are the inputs that are lists."""

    def __init__(self, target: Target, over: tuple[str, ...], interface: PythonInterface, options: MapOptions) -> None:
        self.target, self.over, self.options = target, over, options
        self.name = target.name
        self.kind_name = f"map of {target.kind_name}"
        self.python_interface = interface

    @property
    def settings(self) -> TaskSettings | None:
        return self.target.settings

    def step(self) -> Step:
        called, options = self.target.step(), self.options
        kind = called.kind
        assert kind in ("task", "workflow", "launch_plan", "dynamic")
        spec = MapSpec(
            kind=kind,
            over=self.over,
            concurrency=options.concurrency,
            min_successes=options.min_successes,
            min_success_ratio=options.min_success_ratio,
            items_per_task=options.items_per_task,
            run_all=options.run_all,
        )
        return Step("map", called.target, {"map": spec})

    def entities(self) -> Sequence[Entity]:
        return self.target.entities()

    def run_locally(self, literals: Mapping[str, Json], run: LocalGraphRun) -> dict[str, Json]:
        """Call the target for one item after the other, and return the output literals.

        Raises:
            InputError: the lists have different lengths.
            Exception: the exception of a call, if too few calls can succeed.
        """
        total = check_lengths({name: len(literals[name]) for name in self.over})
        needed = self.options.needed(total)
        results: list[dict[str, Json] | None] = []
        failures: list[Exception] = []
        for index in range(total):
            given = {name: value[index] if name in self.over else value for name, value in literals.items()}
            try:
                with run.inside(str(index)):
                    results.append(self.target.run_locally(given, run))
            except Exception as error:
                results.append(None)
                failures.append(error)
                add_note(error, f"for item {index} of {self.kind_name} '{self.name}'")
                if total - len(failures) < needed and not self.options.run_all:
                    raise
        if total - len(failures) < needed:
            raise failures[-1]
        return {
            variable.name: [None if result is None else result[variable.name] for result in results]
            for variable in self.target.python_interface.interface.outputs
        }


class MapTask:
    """Map of a task, workflow or launch plan over lists; see `map_task`."""

    kind_name = "map"

    def __init__(
        self, target: Target, bound: Mapping[str, Any], options: MapOptions, overrides: Mapping[str, Any], location: Location
    ) -> None:
        self.target, self.bound, self.options, self._overrides = target, dict(bound), options, dict(overrides)
        self.name = target.name
        self._location = location

    def __repr__(self) -> str:
        return f"<map of {self.target!r}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the target for each item of the given lists, or add a node inside a workflow.

        Raises:
            CallError: (an ``AssertionError``) an argument is unknown, or there is no list.
            InputError: the lists have different lengths.
        """
        location = caller_site().location
        for name in kwargs:
            if name in self.bound:
                raise CallError(
                    f"input '{name}' of {self._owner} is given by the call and by its functools.partial",
                    hint="remove one of them",
                    location=location,
                )
        values = given_inputs(self.python_interface, args, {**kwargs, **self.bound}, location)
        values = {name: value for name, value in values.items() if name not in self.bound}
        if not values:
            raise CallError(f"{self._owner} is called without a list", hint="give a list for each input", location=location)
        call = MapCall(self.target, tuple(values), self._interface(tuple(values)), self.options)
        given = {**values, **self.bound}
        compilation = current_compilation()
        if compilation is None:
            return self._called(call, given)
        return self._node(compilation, call, given).result()

    @property
    def _owner(self) -> str:
        return f"map of {self.target.kind_name} '{self.name}'"

    @property
    def python_interface(self) -> PythonInterface:
        """The interface: a list for each input that `functools.partial` does not set, and lists of results."""
        inputs = self.target.python_interface.interface.inputs
        over = tuple(variable.name for variable in inputs if variable.name not in self.bound)
        return self._interface(over, {variable.name for variable in inputs if not variable.required})

    def _interface(self, over: tuple[str, ...], optional: Collection[str] = ()) -> PythonInterface:
        """Return the interface of a call; inputs other than ``over`` are set by `functools.partial` or have a default.

        Args:
            over: the inputs that are lists.
            optional: the inputs among them that a call may leave out.
        """
        whole = self.target.python_interface
        inputs = {name: _list_of(whole.parameters[name].annotation) for name in over}
        defaults: dict[str, Json] = {name: [] for name in optional if name in over}
        for variable in whole.interface.inputs:
            if variable.name in self.bound or (variable.name not in over and not variable.required):
                inputs[variable.name] = whole.parameters[variable.name].annotation
                if variable.name not in self.bound:
                    defaults[variable.name] = variable.default
        outputs = {
            name: _list_of(Optional[annotation] if self.options.may_lack else annotation)  # noqa: UP045 - the annotation may not be a type
            for name, annotation in whole.outputs.items()
        }
        return plain_interface(self._owner, inputs, outputs, defaults=defaults, output_class=None)

    def _node(self, compilation: Compilation, call: MapCall, given: Mapping[str, Any]) -> Node:
        node = compilation.call(call, (), given)
        settings = self.settings
        if settings is not None and settings != self.target.settings:
            node.use_settings(settings)
        cached = self.target.settings is not None and self.target.settings.cache is not None
        for message in unused_cache_options(self._overrides, is_cached=cached):
            compilation.add_warning(Problem(f"{node}: {message}", node.site.location))
        lengths = {name: length for name in call.over if (length := _length(node.bindings.get(name))) is not None}
        try:
            check_lengths(lengths)
        except InputError as error:
            compilation.add_problem(Problem(f"{node}: {error.message}", node.site.location, error.hint))
        return node

    @property
    def settings(self) -> TaskSettings | None:
        """The settings of each call."""
        settings = self.target.settings
        return overridden(settings, self._overrides) if settings is not None and self._overrides else settings

    def _called(self, call: MapCall, given: Mapping[str, Any]) -> Any:
        interface = call.python_interface
        literals = interface.call_literals(given)
        return interface.output_values(call.run_locally(literals, LocalGraphRun.none()))


def _list_of(annotation: Any) -> Any:
    return list[annotation]


def _length(bound: Bound | None) -> int | None:
    """Return the length of a list that is known at compile time, else None."""
    match bound:
        case Items():
            return len(bound.items)
        case Constant(literal=list() as items):
            return len(items)
        case _:
            return None


def map_task(
    target: Any,
    concurrency: int | None = None,
    min_successes: int | None = None,
    min_success_ratio: float = 1.0,
    run_all_sub_nodes: bool = False,
    items_per_task: int = 1,
    metadata: TaskMetadata | Mapping[str, Any] | None = None,
) -> MapTask:
    """Return a map that calls ``target`` for each item: ``map_task(double)(x=[1, 2, 3])``.

    Args:
        target: a task, workflow or launch plan with at most one output, or a `functools.partial` of one, which sets inputs
            for every call.
        concurrency: the maximum number of calls at the same time; None or 0 for the limit of the execution.
        min_successes: the number of calls that must succeed. With this option, or a ratio below 1, results may be None.
        min_success_ratio: the share of calls that must succeed, from 0 to 1.
        run_all_sub_nodes: continue with the remaining calls after too many have failed.
        items_per_task: the number of calls of a task that share one process or pod.
        metadata: settings of the calls that replace the task's.

    Raises:
        SettingsError: (a ``ValueError``) the target has several outputs, or an option is invalid.
        CallError: (an ``AssertionError``) the partial sets unknown inputs.
    """
    location = caller_site().location
    plain, bound = _unwrapped(target, location)
    if len(plain.python_interface.outputs) > 1:
        raise SettingsError(
            f"{plain.kind_name} '{plain.name}' has several outputs: only targets with a single output can be mapped",
            hint="return one dataclass",
            location=location,
        )
    if metadata is not None and plain.settings is None:
        raise SettingsError(
            f"metadata= applies to tasks, but '{plain.name}' is a {plain.kind_name}",
            hint="set it on the tasks inside",
            location=location,
        )
    options = MapOptions(
        _whole("concurrency", concurrency, 0, location),
        _whole("min_successes", min_successes, 0, location),
        _ratio(min_success_ratio, location),
        run_all_sub_nodes is True,
        _whole("items_per_task", items_per_task, 1, location) or 1,
    )
    if min_successes is not None and options.min_success_ratio == 1:
        options = replace(options, min_success_ratio=0.0)  # without an explicit ratio only the number counts
    return MapTask(plain, bound, options, metadata_overrides(metadata), location)


array_node_map_task = map_task


def _unwrapped(target: Any, location: Location) -> tuple[Target, dict[str, Any]]:
    """Return the target inside nested partials, and the inputs that the partials set."""
    bound: dict[str, Any] = {}
    args: tuple[Any, ...] = ()
    while isinstance(target, functools.partial):
        bound, args = {**target.keywords, **bound}, (*target.args, *args)
        target = target.func
    if not isinstance(target, Task | Workflow | LaunchPlan):
        name = getattr(target, "__name__", repr(target))
        raise SettingsError(
            f"map_task expects a task, workflow or launch plan, got {name}",
            hint="decorate the function with @task",
            location=location,
        )
    names = list(target.python_interface.parameters)
    bound = {**dict(zip(names, args, strict=False)), **bound}
    unknown = [name for name in bound if name not in names]
    if unknown or len(args) > len(names):
        raise CallError(
            f"partial sets {', '.join(map(repr, unknown)) or 'too many inputs'}, which {target.kind_name} '{target.name}' "
            "does not take",
            hint=f"its inputs: {', '.join(names) or 'none'}",
            location=location,
        )
    return target, bound


def _whole(name: str, value: object, least: int, location: Location) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MAX_COUNT:
        raise SettingsError(
            f"{name} of a map must be a whole number of at least {least}, and at most {MAX_COUNT}, not {shown(value)}",
            hint="leave it out for the default",
            location=location,
        )
    return value


def _ratio(value: object, location: Location) -> float:
    if value is None:
        return 1.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise SettingsError(
            f"min_success_ratio must be a number from 0 to 1, not {value!r}",
            hint="0.9 tolerates one failure in ten calls; min_successes is a number of calls",
            location=location,
        )
    return float(value)
