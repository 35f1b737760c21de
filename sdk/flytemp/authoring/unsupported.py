"""Names of flytekit that this version does not support. They can be imported, and raise NotSupported when they are used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from flytemp.authoring.definition_site import DefinitionSite, caller_site, function_site
from flytemp.errors import NotSupported


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


class _Unsupported:
    """Base of classes that cannot be instantiated."""

    _instead = "leave it out"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        refuse(type(self).__name__, self._instead)


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
