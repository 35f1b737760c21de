"""Interfaces of tasks and workflows: names, annotations and defaults, and the conversion of values and literals."""

from __future__ import annotations

import collections
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flytemp.errors import InputError, Problem
from flytemp.literals.check import check_literal
from flytemp.literals.convert import constant_literal, from_literal, literal_type, to_literal
from flytemp.literals.sizes import check_size
from flytemp.literals.transfer import LOCAL_FILES, FileTransfer
from flytemp.literals.types import Json, LiteralType, UnionType
from flytemp.spec.models import Interface, Variable


@dataclass(frozen=True, slots=True)
class Parameter:
    """Input of a function."""

    name: str
    annotation: Any
    positional_only: bool = False


@dataclass(frozen=True)
class PythonInterface:
    """Inputs and outputs of a task or workflow, in Python and in the spec.

    Attributes:
        owner: the kind and the name of the task or workflow, for messages.
        parameters: the inputs by name.
        outputs: the annotations of the outputs by name.
        output_class: the NamedTuple that the function returns, if any. Several outputs without one are returned as a named
            tuple with the fields ``o0``, ``o1``, …
        interface: the same in the spec.
        warnings: parts of the signature that have another effect than in Python.
    """

    owner: str
    parameters: Mapping[str, Parameter]
    outputs: Mapping[str, Any]
    output_class: type[tuple[Any, ...]] | None
    interface: Interface
    warnings: tuple[Problem, ...] = ()

    @property
    def inputs(self) -> dict[str, Any]:
        """The annotations of the inputs by name."""
        return {name: parameter.annotation for name, parameter in self.parameters.items()}

    @property
    def input_types(self) -> dict[str, LiteralType]:
        """The types of the inputs by name."""
        return {variable.name: variable.type for variable in self.interface.inputs}

    @property
    def output_types(self) -> dict[str, LiteralType]:
        """The types of the outputs by name."""
        return {variable.name: variable.type for variable in self.interface.outputs}

    @property
    def defaults(self) -> dict[str, Json]:
        """The literals of the defaults by input."""
        return {variable.name: variable.default for variable in self.interface.inputs if not variable.required}

    def input_literals(self, values: Mapping[str, Any], files: FileTransfer | None = None) -> dict[str, Json]:
        """Return the literals of inputs.

        Args:
            values: the Python values by name.
            files: uploads local files; None keeps their paths.

        Raises:
            InputError: (`TypeMismatch`, `LimitExceeded`) a value does not have the type of its input.
        """
        annotations = {name: self.parameters[name].annotation for name in values}
        return {
            name: self._converted(f"inputs of {self.owner}", f"argument '{name}'", name, value, annotations[name], files)
            for name, value in values.items()
        }

    def call_literals(self, values: Mapping[str, Any]) -> dict[str, Json]:
        """Return the literals of all inputs of a plain Python call: the given values, and the defaults of the other inputs.

        Raises:
            InputError: as `input_literals`.
        """
        return {**self.defaults, **self.input_literals(values, LOCAL_FILES)}

    def input_values(self, literals: Mapping[str, Json], files: FileTransfer | None = None) -> dict[str, Any]:
        """Return the Python values of input literals.

        Raises:
            InputError: a literal does not have the type of its input.
        """
        known = self.input_types
        values: dict[str, Any] = {}
        for name, literal in literals.items():
            with _conversion_context(f"inputs of {self.owner}", f"argument '{name}'"):
                checked = check_literal(literal, known[name])
                values[name] = from_literal(checked, self.parameters[name].annotation, files)
        return values

    def output_literals(self, returned: Any, files: FileTransfer | None = None) -> dict[str, Json]:
        """Return the literals of the outputs in the function's result.

        Raises:
            InputError: a value does not have the type of its output, or the number of values is wrong.
        """
        values = self.split(returned)
        return {
            name: self._converted(f"outputs of {self.owner} at position {index}", None, name, values[name], annotation, files)
            for index, (name, annotation) in enumerate(self.outputs.items())
        }

    def output_values(self, literals: Mapping[str, Json], files: FileTransfer | None = None) -> Any:
        """Return the result of a call from output literals: None, one value, or a named tuple.

        Raises:
            InputError: a literal does not have the type of its output.
        """
        known = self.output_types
        values: dict[str, Any] = {}
        for index, (name, annotation) in enumerate(self.outputs.items()):
            with _conversion_context(f"outputs of {self.owner} at position {index}", None):
                values[name] = from_literal(check_literal(literals[name], known[name]), annotation, files)
        return self.joined(values)

    def split(self, returned: Any) -> dict[str, Any]:
        """Return the outputs in a function's result by name.

        Raises:
            InputError: the number of values is not the number of outputs.
        """
        names = list(self.outputs)
        if not names:
            return {}
        if len(names) == 1:
            single = self.output_class is not None and isinstance(returned, tuple) and len(returned) == 1
            return {names[0]: returned[0] if single else returned}
        if not isinstance(returned, tuple | list) or len(returned) != len(names):
            count = f"{len(returned)} values" if isinstance(returned, tuple | list) else f"{type(returned).__name__}"
            raise InputError(
                f"{self.owner} returned {count}, but declares {len(names)} outputs: {', '.join(names)}",
                hint="return a tuple with one value for each declared output",
            )
        return dict(zip(names, returned, strict=True))

    def joined(self, values: Mapping[str, Any]) -> Any:
        """Return the result of a call from its outputs by name."""
        if not values:
            return None
        if self.output_class is not None:
            return self.output_class(*values.values())
        if len(values) == 1:
            return next(iter(values.values()))
        return collections.namedtuple("DefaultNamedTupleOutput", values)(**values)

    def call(self, function: Callable[..., Any], values: Mapping[str, Any]) -> Any:
        """Call ``function`` with values by name. Positional-only parameters are passed by position."""
        positional = [values[name] for name, parameter in self.parameters.items() if parameter.positional_only]
        keywords = {name: value for name, value in values.items() if not self.parameters[name].positional_only}
        return function(*positional, **keywords)

    @staticmethod
    def _converted(what: str, part: str | None, name: str, value: Any, annotation: Any, files: FileTransfer | None) -> Json:
        with _conversion_context(what, part):
            return check_size(name, to_literal(value, annotation, files))


def plain_interface(
    owner: str,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    *,
    defaults: Mapping[str, Json] | None = None,
    output_class: type[tuple[Any, ...]] | None = None,
) -> PythonInterface:
    """Return an interface that is not read from a function.

    Args:
        owner: as in `PythonInterface`.
        inputs: the annotations of the inputs by name.
        outputs: the annotations of the outputs by name.
        defaults: the literals of the defaults by input.
        output_class: as in `PythonInterface`.

    Raises:
        NotSupported: an annotation has no literal type.
    """
    given = defaults or {}
    variables = tuple(
        Variable(name=name, type=literal_type(annotation), required=False, default=given[name])
        if name in given
        else input_variable(name, annotation)
        for name, annotation in inputs.items()
    )
    return PythonInterface(
        owner=owner,
        parameters={name: Parameter(name, annotation) for name, annotation in inputs.items()},
        outputs=dict(outputs),
        output_class=output_class,
        interface=Interface(
            inputs=variables,
            outputs=tuple(Variable(name=name, type=literal_type(annotation)) for name, annotation in outputs.items()),
        ),
    )


def input_variable(name: str, annotation: Any, description: str = "") -> Variable:
    """Return an input without a default for the spec. As in Flyte, an Optional input that a call omits has the value None.

    Raises:
        NotSupported: the annotation has no literal type.
    """
    type_ = literal_type(annotation)
    if isinstance(type_, UnionType) and accepts_none(type_):
        default = constant_literal(None, annotation)
        return Variable(name=name, type=type_, description=description, required=False, default=default)
    return Variable(name=name, type=type_, description=description)


def accepts_none(type_: LiteralType) -> bool:
    """Return True if None is a value of the type."""
    return any(variant.kind in ("none", "any") for variant in (type_.variants if isinstance(type_, UnionType) else (type_,)))


class _conversion_context:  # noqa: N801 - used like a function
    """Context manager that adds the input or output to the error of a failed conversion, in flytekit's words."""

    def __init__(self, what: str, part: str | None) -> None:
        self._what, self._part = what, part

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: types.TracebackType | None) -> None:
        if isinstance(error, InputError):
            detail = f":\n  Failed {self._part}: {error.message}" if self._part else f".\n  {error.message}"
            raise type(error)(f"Failed to convert {self._what}{detail}", hint=error.hint) from error


def kwtypes(**annotations: Any) -> collections.OrderedDict[str, Any]:
    """Return names and their types in order: ``kwtypes(x=int, y=str)``."""
    return collections.OrderedDict(annotations)
