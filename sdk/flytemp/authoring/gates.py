"""Gates: nodes that wait for a value, for an approval or for a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, TypeVar

from flytemp.authoring.binding import Bound, Constant, bind, check_owner
from flytemp.authoring.callee import Entity, LeafCallee, Step
from flytemp.authoring.compilation import Compilation, current_compilation
from flytemp.authoring.definition_site import caller_site
from flytemp.authoring.errors import PromiseMisuse, SettingsError
from flytemp.authoring.interface import PythonInterface, plain_interface
from flytemp.authoring.local import LocalGraphRun
from flytemp.authoring.promise import OutputTuple, Promise, VoidOutput
from flytemp.authoring.retry import Seconds, seconds
from flytemp.authoring.terminal import ask_approval, ask_value
from flytemp.errors import FlytempError
from flytemp.exceptions.user import FlyteDisapprovalException
from flytemp.literals.convert import literal_type
from flytemp.literals.types import Json, LiteralType
from flytemp.spec.models import GateSpec, Interface, Variable

T = TypeVar("T")
DEFAULT_TIMEOUT = 3600.0


class Gate(LeafCallee):
    """Gate that waits for a value (``input``), or for the approval of its input ``value`` (``approve``)."""

    kind_name = "gate"
    settings = None

    def __init__(self, kind: Literal["approve", "input"], name: str, type_: LiteralType, annotation: Any, timeout: float) -> None:
        self.name = name
        self._kind: Literal["approve", "input"] = kind
        self._type, self._annotation, self._timeout = type_, annotation, timeout
        variable = Variable(name="o0", type=type_)
        inputs = (Variable(name="value", type=type_),) if kind == "approve" else ()
        interface = Interface(inputs=inputs, outputs=(variable,))
        self.python_interface = PythonInterface(f"gate '{name}'", {}, {"o0": annotation}, None, interface)

    def step(self) -> Step:
        return Step(
            "gate",
            fields={"gate": GateSpec(kind=self._kind, name=self.name, type=self._type, timeout_seconds=self._timeout)},
        )

    def entities(self) -> Sequence[Entity]:
        return ()

    def run_locally(self, literals: Mapping[str, Json], run: LocalGraphRun) -> dict[str, Json]:
        """Prompt for the answer on the terminal, and return the output literals.

        Raises:
            FlyteDisapprovalException: (an ``AssertionError``) the value was rejected.
            InputError: standard input ended without a valid answer.
        """
        if self._kind == "input":
            shown = getattr(self._annotation, "__name__", self._annotation)
            return {"o0": ask_value(self.name, str(shown), self._type)}
        if not ask_approval(self.name, literals["value"]):
            raise FlyteDisapprovalException(f"User did not approve the transaction for gate node {self.name}")
        return {"o0": literals["value"]}


class Sleep(LeafCallee):
    """Node that waits for a time."""

    name = kind_name = "sleep"
    settings = None

    def __init__(self, duration: float) -> None:
        self._duration = duration
        self.python_interface = plain_interface("sleep", {}, {})

    def step(self) -> Step:
        return Step("sleep", fields={"sleep_seconds": self._duration})

    def entities(self) -> Sequence[Entity]:
        return ()

    def run_locally(self, literals: Mapping[str, Json], run: LocalGraphRun) -> dict[str, Json]:
        """Print the duration without waiting: a plain Python call must not take hours."""
        print(f"[Sleep Gate] Simulating Sleep for {timedelta(seconds=self._duration)}", flush=True)
        return {}


def wait_for_input(name: str, timeout: Seconds | None, expected_type: type[T]) -> T:
    """Wait for a value from a user, and return it. A plain Python call reads the value from the terminal.

    Args:
        name: the name by which an answer refers to the gate.
        timeout: the maximum time to wait, as a timedelta or in seconds; None for an hour.
        expected_type: the type of the value.

    Raises:
        SettingsError: (a ``ValueError``) the name or the timeout is invalid.
        NotSupported: the type is not supported.
    """
    gate = Gate("input", _named(name), literal_type(expected_type), expected_type, _limit(timeout))
    compilation = current_compilation()
    if compilation is None:
        return gate.python_interface.output_values(gate.run_locally({}, LocalGraphRun.none()))  # type: ignore[no-any-return]
    return compilation.add(gate, caller_site()).result()  # type: ignore[return-value]


def approve(upstream_item: T, name: str, timeout: Seconds | None) -> T:
    """Wait for the approval of a value by a user, and return the value. A rejection fails the node.

    Args:
        upstream_item: the result of a call, or an input of the workflow.
        name: the name by which an answer refers to the gate.
        timeout: the maximum time to wait, as a timedelta or in seconds; None for an hour.

    Raises:
        SettingsError: (a ``ValueError``) the name or the timeout is invalid.
        PromiseMisuse: (a ``ValueError``) ``upstream_item`` is the result of a call that returns nothing.
    """
    limit, compilation = _limit(timeout), current_compilation()
    item: Any = upstream_item[0] if isinstance(upstream_item, OutputTuple) and len(upstream_item) == 1 else upstream_item
    if isinstance(item, VoidOutput):
        raise PromiseMisuse(
            "You can't use approval on a task that doesn't return anything.",
            hint="annotate its result, or approve an earlier value",
            location=caller_site().location,
        )
    if compilation is None:
        if not ask_approval(_named(name), item):
            raise FlyteDisapprovalException(f"User did not approve the transaction for gate node {name}")
        return upstream_item
    type_, bound = _approved(item, compilation)
    node = compilation.add(Gate("approve", _named(name), type_, Any, limit), caller_site())
    node.bindings["value"] = bound
    return node.result()  # type: ignore[return-value]


def sleep(duration: Seconds) -> VoidOutput | None:
    """Wait for a time, without occupying a worker meanwhile.

    Args:
        duration: the time, as a timedelta or in seconds.

    Raises:
        SettingsError: (a ``ValueError``) the duration is invalid.
    """
    node = Sleep(seconds(duration, "the duration of a sleep"))
    compilation = current_compilation()
    if compilation is None:
        node.run_locally({}, LocalGraphRun.none())
        return None
    result = compilation.add(node, caller_site()).result()
    assert isinstance(result, VoidOutput)
    return result


def _approved(item: Any, compilation: Compilation) -> tuple[LiteralType, Bound]:
    location = caller_site().location
    if isinstance(item, OutputTuple):
        raise PromiseMisuse(f"approve takes one value, not {len(item)}", hint="approve one output", location=location)
    try:
        if isinstance(item, Promise):
            check_owner(item, compilation)
            return item._type, item
        bound = bind("value", item, type(item), compilation)
        assert isinstance(bound, Constant)
        return literal_type(type(item)), bound
    except FlytempError as error:
        raise PromiseMisuse(f"cannot approve {item!r}: {error.message}", hint=error.hint, location=location) from error


def _named(name: object) -> str:
    if not isinstance(name, str) or not name.strip():
        raise SettingsError(
            f"a gate's name must be text, not {name!r}",
            hint="an answer refers to the gate by its name",
            location=caller_site().location,
        )
    return name


def _limit(timeout: Seconds | None) -> float:
    return DEFAULT_TIMEOUT if timeout is None else seconds(timeout, "timeout of a gate")
