"""Names of flytekit that this version does not support. They can be imported, and raise NotSupported when they are used.

This module has the names of flytekit's top level, with types. `unsupported_class` makes the classes of all other names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from flytemp.authoring.definition_site import DefinitionSite, caller_site, function_site
from flytemp.errors import NotSupported
from flytemp.exceptions.base import FlyteException


def refuse(what: str, instead: str) -> NoReturn:
    """Raise NotSupported for a name of flytekit.

    Args:
        what: the name.
        instead: a hint at an alternative.

    Raises:
        NotSupported: in every case, with the caller's file and line.
    """
    location = caller_site().location
    raise NotSupported(f"{what} is not supported by this version of flytemp", hint=instead, location=location)


class UnsupportedEntity:
    """Function with a decorator that is not supported. The rest of its module remains usable."""

    def __init__(self, what: str, instead: str, function: Callable[..., Any]) -> None:
        self._what, self._instead = what, instead
        self._name = getattr(function, "__name__", repr(function))
        self.site: DefinitionSite = function_site(function)

    @property
    def problem(self) -> NotSupported:
        """The error, with the definition of the function."""
        return NotSupported(
            f"{self._what} (of '{self._name}') is not supported by this version of flytemp",
            hint=self._instead,
            location=self.site.location,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotSupported(self.problem.message, hint=self._instead, location=caller_site().location)


def _decorator(what: str, instead: str, args: tuple[Any, ...]) -> Any:
    if len(args) == 1 and callable(args[0]):
        return UnsupportedEntity(what, instead, args[0])
    return lambda function: UnsupportedEntity(what, instead, function)


def eager(*args: Any, **kwargs: Any) -> Any:
    """Return a decorator whose functions raise NotSupported when they are called."""
    return _decorator("@eager", "write a @workflow with a fixed graph", args)


class UnsupportedAttribute(NotSupported, AttributeError):
    """Error raised for an attribute of a name that is not supported. `hasattr` and `getattr` with a default accept it."""


class _UnsupportedMeta(type):
    """Class of the names that are not supported. Such a name may be an annotation; a task that uses the annotation is refused."""

    _instead = "leave it out"

    if not TYPE_CHECKING:

        def __getattr__(cls, name: str) -> NoReturn:
            if name.startswith("_"):
                raise AttributeError(name)
            message = f"{cls.__name__}.{name} is not supported by this version of flytemp"
            raise UnsupportedAttribute(message, hint=cls._instead, location=caller_site().location)

        def __getitem__(cls, item: object) -> _UnsupportedMeta:
            return cls

        def __iter__(cls) -> NoReturn:
            refuse(cls.__name__, cls._instead)


class _Unsupported(metaclass=_UnsupportedMeta):
    """Base of the names: they cannot be called or instantiated, and have no attributes and no subclasses in user code."""

    _instead = "leave it out"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        refuse(type(self).__name__, self._instead)

    def __init_subclass__(cls) -> None:
        if cls.__module__.partition(".")[0] != "flytemp":
            refuse(f"{cls.__mro__[1].__name__}, the base class of {cls.__name__},", cls._instead)


def unsupported_class(name: str, module: str, instead: str) -> type:
    """Return the class for a name of flytekit.

    Args:
        name: the name.
        module: the module from which programs import the name.
        instead: a hint at an alternative.
    """
    return _UnsupportedMeta(name, (_Unsupported,), {"__module__": module, "_instead": instead})


def unsupported_exception(name: str, module: str) -> type[FlyteException]:
    """Return an exception class for a name of flytekit. flytemp does not raise it; programs may raise and catch it."""
    return type(name, (FlyteException,), {"__module__": module, "__doc__": "Exception of flytekit that flytemp does not raise."})


_SCHEDULE = "start the launch plan from a Temporal Schedule, or from cron with `flytemp launch`"


class CronSchedule(_Unsupported):
    _instead = _SCHEDULE


class FixedRate(_Unsupported):
    _instead = _SCHEDULE


class OnSchedule(_Unsupported):
    _instead = _SCHEDULE


_NOTIFICATION = "watch the execution, or notify from a last task"


class Notification(_Unsupported):
    _instead = _NOTIFICATION


class Email(Notification):
    pass


class PagerDuty(Notification):
    pass


class Slack(Notification):
    pass


class Deck(_Unsupported):
    _instead = "write the report to a file and return it as a FlyteFile"


class StructuredDataset(_Unsupported):
    _instead = "write the table to a file and pass a FlyteFile"


class HashMethod(_Unsupported):
    _instead = "leave the annotation out: results are not reused yet"


class ConcurrencyPolicy(_Unsupported):
    _instead = "launch with an execution name: the same name runs once"


class Environment(_Unsupported):
    _instead = "keep common options in a dict: @task(**options)"


class FlyteRemote(_Unsupported):
    _instead = "use flytemp.Client"
