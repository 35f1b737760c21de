"""Interfaces read from signatures: names, annotations and defaults, and the conversion of values and literals."""

from __future__ import annotations

import collections
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flytemp.authoring.definition_site import DefinitionSite
from flytemp.authoring.docstrings import Docstring
from flytemp.errors import FlytempError, InputError, Problem, ProgramError
from flytemp.literals.aliases import unaliased
from flytemp.literals.check import check_literal
from flytemp.literals.convert import constant_literal, from_literal, literal_type, to_literal
from flytemp.literals.sizes import check_size
from flytemp.literals.transfer import FileTransfer
from flytemp.literals.types import Json, LiteralType
from flytemp.spec.models import Interface, Variable

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


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
    """

    owner: str
    parameters: Mapping[str, Parameter]
    outputs: Mapping[str, Any]
    output_class: type[tuple[Any, ...]] | None
    interface: Interface

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
        Variable(name=name, type=literal_type(annotation), required=name not in given, default=given.get(name))
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


# ------------------------------------------------------------------------------------ from a function


def interface_of(function: Callable[..., Any], owner: str, site: DefinitionSite, docstring: Docstring) -> PythonInterface:
    """Return the interface of a task's or workflow's function.

    Args:
        function: the function.
        owner: as in `PythonInterface`.
        site: the definition of the function.
        docstring: the descriptions of inputs and outputs.

    Raises:
        ProgramError: parameters or outputs have no usable annotation or default; it has one problem for each.
    """
    reader = _Reader(owner, site)
    hints = reader.hints(function)
    signature = inspect.signature(function)
    parameters = [parameter for parameter in signature.parameters.values() if reader.accepts(parameter, hints)]
    inputs = [reader.input(parameter, hints[parameter.name], docstring) for parameter in parameters]
    outputs, output_class = reader.outputs(hints.get("return"))
    variables = [
        reader.variable(f"output '{name}'", name, annotation, docstring.output(index, name, len(outputs)))
        for index, (name, annotation) in enumerate(outputs.items())
    ]
    if reader.problems:
        raise ProgramError(reader.problems)
    return PythonInterface(
        owner=owner,
        parameters={
            parameter.name: Parameter(parameter.name, hints[parameter.name], parameter.kind is inspect.Parameter.POSITIONAL_ONLY)
            for parameter in parameters
        },
        outputs=outputs,
        output_class=output_class,
        interface=Interface(
            inputs=tuple(variable for variable in inputs if variable),
            outputs=tuple(variable for variable in variables if variable),
        ),
    )


class _Reader:
    """Reader of one signature that collects its problems."""

    def __init__(self, owner: str, site: DefinitionSite) -> None:
        self._owner, self._site = owner, site
        self.problems: list[Problem] = []

    def problem(self, message: str, hint: str | None = None) -> None:
        self.problems.append(Problem(f"{self._owner}: {message}", self._site.location, hint))

    def hints(self, function: Callable[..., Any]) -> dict[str, Any]:
        try:
            return typing.get_type_hints(function, include_extras=True)
        except Exception as error:
            self.problem(f"its annotations cannot be read: {type(error).__name__}: {error}", "import or define the names")
            raise ProgramError(self.problems) from error

    def accepts(self, parameter: inspect.Parameter, hints: Mapping[str, Any]) -> bool:
        if parameter.kind in _VARIADIC:
            self.problem(f"'{parameter}' cannot be an input", "name every input: inputs have names and types")
            return False
        if parameter.name not in hints:
            self.problem(
                f"'{parameter.name}' has no type. Please add a type annotation to the input parameter.",
                f"def …({parameter.name}: int)",
            )
            return False
        return True

    def input(self, parameter: inspect.Parameter, annotation: Any, docstring: Docstring) -> Variable | None:
        what = f"input '{parameter.name}'"
        variable = self.variable(what, parameter.name, annotation, docstring.inputs.get(parameter.name, ""))
        if variable is None or parameter.default is inspect.Parameter.empty:
            return variable
        try:
            default = check_size(parameter.name, constant_literal(parameter.default, annotation))
        except FlytempError as error:
            self.problem(f"the default of {what} does not fit: {error.message}", error.hint)
            return None
        return variable.model_copy(update={"required": False, "default": default})

    def variable(self, what: str, name: str, annotation: Any, description: str) -> Variable | None:
        try:
            return Variable(name=name, type=literal_type(annotation), description=description)
        except FlytempError as error:
            self.problem(f"{what}: {error.message}", error.hint)
            return None

    def outputs(self, annotation: Any) -> tuple[dict[str, Any], type[tuple[Any, ...]] | None]:
        """Return the outputs by name, and the NamedTuple that holds them or None."""
        annotation = unaliased(annotation)
        if annotation is type(None):
            return {}, None
        if isinstance(annotation, type) and issubclass(annotation, tuple) and hasattr(annotation, "_fields"):
            return self._named(annotation), annotation
        members = annotation if isinstance(annotation, tuple) else _tuple_members(annotation)
        if members is None:
            return {"o0": annotation}, None
        if len(members) == 1:
            name = getattr(members[0], "__name__", members[0])
            self.problem("a tuple of one item cannot be the outputs", f"return the value itself: -> {name}")
        return {f"o{index}": member for index, member in enumerate(members)}, None

    def _named(self, annotation: Any) -> dict[str, Any]:
        try:
            hints = typing.get_type_hints(annotation, include_extras=True)
        except Exception as error:  # noqa: BLE001 - an annotation is the user's code: anything may be raised
            self.problem(f"the fields of {annotation.__name__} cannot be read: {type(error).__name__}: {error}")
            return {}
        untyped = [field for field in annotation._fields if field not in hints]
        if untyped:
            self.problem(f"the fields {', '.join(untyped)} of {annotation.__name__} have no types", "use typing.NamedTuple")
        return {field: hints[field] for field in annotation._fields if field in hints}


def _tuple_members(annotation: Any) -> tuple[Any, ...] | None:
    """Return the members of ``tuple[A, B]``; None for other annotations, also ``tuple[A, ...]`` and a bare ``tuple``."""
    if typing.get_origin(annotation) is not tuple:
        return None
    members = typing.get_args(annotation)
    return None if not members or Ellipsis in members else members
