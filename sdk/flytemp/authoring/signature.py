"""Interfaces read from the signatures of functions."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

from flytemp.authoring.definition_site import DefinitionSite
from flytemp.authoring.docstrings import Docstring
from flytemp.authoring.entity_registry import are_checks_deferred
from flytemp.authoring.errors import MissingAnnotation, SignatureError
from flytemp.authoring.interface import Parameter, PythonInterface, input_variable
from flytemp.error_text import titled
from flytemp.errors import FlytempError, Problem
from flytemp.literals.adapters.named_tuple import is_named_tuple
from flytemp.literals.aliases import unaliased
from flytemp.literals.convert import constant_literal, literal_type
from flytemp.literals.describe import describe_type
from flytemp.literals.sizes import check_size
from flytemp.spec.models import Interface, Variable

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def interface_of(function: Callable[..., Any], owner: str, site: DefinitionSite, docstring: Docstring) -> PythonInterface:
    """Return the interface of a task's or workflow's function.

    Args:
        function: the function.
        owner: as in `PythonInterface`.
        site: the definition of the function.
        docstring: the descriptions of inputs and outputs.

    Raises:
        SignatureError: parameters or outputs have no usable annotation or default; it has one problem for each.
    """
    reader = _Reader(owner, site)
    hints = reader.hints(function)
    parameters = reader.parameters(function, hints)
    inputs = [reader.input(parameter, hints[parameter.name], docstring) for parameter in parameters]
    outputs, output_class = reader.outputs(hints.get("return"))
    variables = [
        reader.output(name, annotation, docstring.output(index, name, len(outputs)))
        for index, (name, annotation) in enumerate(outputs.items())
    ]
    reader.check()
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
        warnings=tuple(reader.warnings),
    )


def check_signature(function: Callable[..., Any], owner: str, site: DefinitionSite) -> None:
    """Check the form of a signature at the decorator of its function, unless checks are deferred.

    The decorator does not check types and defaults, because a later line may define a class or register its conversion.

    Args:
        function: the function.
        owner: as in `PythonInterface`.
        site: the definition of the function.

    Raises:
        SignatureError: a parameter has no annotation or is variadic, or an annotation is a tuple without the types of its items.
    """
    if are_checks_deferred():
        return
    reader = _Reader(owner, site)
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception:  # noqa: BLE001 - the annotation may name a class that a later line defines
        return
    for parameter in reader.parameters(function, hints):
        if contains_bare_tuple(hints[parameter.name]):
            reader.variable(f"input '{parameter.name}'", parameter.name, hints[parameter.name], "")
    outputs, _ = reader.outputs(hints.get("return"))
    for name, annotation in outputs.items():
        if contains_bare_tuple(annotation):
            reader.output(name, annotation, "")
    reader.check()


class _Reader:
    """Reader of one signature that collects its problems and warnings."""

    def __init__(self, owner: str, site: DefinitionSite) -> None:
        self._owner, self._site = owner, site
        self._lacks_annotation = False
        self._problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def check(self) -> None:
        """Check that there are no problems.

        Raises:
            SignatureError: it lists all problems.
        """
        if self._problems:
            raise (MissingAnnotation if self._lacks_annotation else SignatureError)(self._problems)

    def hints(self, function: Callable[..., Any]) -> dict[str, Any]:
        try:
            return typing.get_type_hints(function, include_extras=True)
        except Exception as error:
            self._problem(f"its annotations cannot be read: {titled(error)}", "import or define the names")
            raise SignatureError(self._problems) from error

    def parameters(self, function: Callable[..., Any], hints: Mapping[str, Any]) -> list[inspect.Parameter]:
        """Return the parameters that can be inputs."""
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError) as error:  # some built-in functions have no signature
            self._problem(f"its parameters cannot be read: {error}", "define a function in Python")
            return []
        return [parameter for parameter in parameters if self._accepts(parameter, hints)]

    def input(self, parameter: inspect.Parameter, annotation: Any, docstring: Docstring) -> Variable | None:
        what = f"input '{parameter.name}'"
        variable = self.variable(what, parameter.name, annotation, docstring.inputs.get(parameter.name, ""))
        if variable is None or parameter.default is inspect.Parameter.empty:
            return variable
        try:
            default = check_size(parameter.name, constant_literal(parameter.default, annotation))
        except FlytempError as error:
            if parameter.default is None:
                self._warn_of_none(what, variable)
                return variable
            self._problem(f"the default of {what} does not fit: {error.message}", error.hint)
            return None
        return variable.model_copy(update={"required": False, "default": default})

    def variable(self, what: str, name: str, annotation: Any, description: str) -> Variable | None:
        return self._made(what, lambda: input_variable(name, annotation, description))

    def output(self, name: str, annotation: Any, description: str) -> Variable | None:
        return self._made(
            f"output '{name}'", lambda: Variable(name=name, type=literal_type(annotation), description=description)
        )

    def outputs(self, annotation: Any) -> tuple[dict[str, Any], type[tuple[Any, ...]] | None]:
        """Return the outputs by name, and the NamedTuple that holds them or None."""
        annotation = unaliased(annotation)
        if annotation is None or annotation is type(None):
            return {}, None
        if is_named_tuple(annotation):
            return self._named(annotation), annotation
        members = annotation if isinstance(annotation, tuple) else _tuple_members(annotation)
        if members is None:
            return {"o0": annotation}, None
        if len(members) == 1:
            name = getattr(members[0], "__name__", members[0])
            self._problem("a tuple of one item cannot be the outputs", f"return the value itself: -> {name}")
        return {f"o{index}": member for index, member in enumerate(members)}, None

    def _accepts(self, parameter: inspect.Parameter, hints: Mapping[str, Any]) -> bool:
        if parameter.kind in _VARIADIC:
            self._problem(f"'{parameter}' cannot be an input", "name every input: inputs have names and types")
            return False
        if parameter.name not in hints:
            self._lacks_annotation = True
            self._problem(
                f"'{parameter.name}' has no type. Please add a type annotation to the input parameter.",
                f"def …({parameter.name}: int)",
            )
            return False
        return True

    def _made(self, what: str, make: Callable[[], Variable]) -> Variable | None:
        try:
            return make()
        except FlytempError as error:
            self._problem(f"{what}: {error.message}", error.hint)
            return None

    def _problem(self, message: str, hint: str | None = None) -> None:
        self._problems.append(Problem(f"{self._owner}: {message}", self._site.location, hint))

    def _warn_of_none(self, what: str, variable: Variable) -> None:
        """Warn that None, the default, is not a value of the input. As in Flyte, the input is required."""
        type_ = describe_type(variable.type)
        message = f"{self._owner}: the default of {what} is None, which is not of the type {type_}: the input is required"
        hint = "declare it as Optional[…] to allow None; os.getenv returns None if the variable is not set"
        self.warnings.append(Problem(message, self._site.location, hint))

    def _named(self, annotation: Any) -> dict[str, Any]:
        try:
            hints = typing.get_type_hints(annotation, include_extras=True)
        except Exception as error:  # noqa: BLE001 - an annotation is the user's code: anything may be raised
            self._problem(f"the fields of {annotation.__name__} cannot be read: {titled(error)}")
            return {}
        untyped = [field for field in annotation._fields if field not in hints]
        if untyped:
            self._problem(f"the fields {', '.join(untyped)} of {annotation.__name__} have no types", "use typing.NamedTuple")
        return {field: hints[field] for field in annotation._fields if field in hints}


def _tuple_members(annotation: Any) -> tuple[Any, ...] | None:
    """Return the members of ``tuple[A, B]``; None for other annotations, also ``tuple[A, ...]`` and a bare ``tuple``."""
    if typing.get_origin(annotation) is not tuple:
        return None
    members = typing.get_args(annotation)
    return None if not members or Ellipsis in members else members


def contains_bare_tuple(annotation: Any) -> bool:
    """Return True for ``tuple`` without the types of its items, also inside other annotations."""
    annotation = unaliased(annotation)
    if annotation is tuple or annotation is typing.Tuple:  # noqa: UP006 - the annotation of a program
        return True
    return any(contains_bare_tuple(argument) for argument in typing.get_args(annotation))
