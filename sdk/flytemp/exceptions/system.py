"""Failures of the platform, under flytekit's names. They use none of a task's ``retries``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flytemp.error_text import object_text
from flytemp.errors import Actor
from flytemp.exceptions.base import FlyteException, FlyteRecoverableException
from flytemp.porting.finder import other_names


class FlyteSystemException(FlyteRecoverableException):
    """Base of the failures of the platform."""

    code = "system-error"
    actor = Actor.PLATFORM


class FlyteSystemUnavailableException(FlyteSystemException):
    """The platform does not answer."""

    code = "system-unavailable"


class FlyteNotImplementedException(FlyteSystemException, NotImplementedError):
    """This version does not support the request."""

    code = "not-implemented"


class FlyteEntrypointNotLoadable(FlyteSystemException):
    """The module or attribute of a task cannot be imported in the process that runs the task."""

    code = "not-loadable"


class FlyteSystemAssertion(FlyteSystemException, AssertionError):
    """An assertion of the platform failed."""

    code = "system-assertion"


class FlyteAgentNotFound(FlyteSystemException, AssertionError):
    """There is no agent for the type of the task."""

    code = "agent-not-found"


class FlyteConnectorNotFound(FlyteSystemException, AssertionError):
    """There is no connector for the type of the task."""

    code = "connector-not-found"


class FlyteDownloadDataException(FlyteSystemException):
    """Data could not be downloaded."""

    code = "download-failed"


class FlyteUploadDataException(FlyteSystemException):
    """Data could not be uploaded."""

    code = "upload-failed"


class FlyteNonRecoverableSystemException(FlyteException):
    """An exception of the platform that ends the retries; ``value`` is the exception."""

    code = "non-recoverable-system-error"

    def __init__(self, exc_value: Exception) -> None:
        super().__init__(object_text(exc_value))
        self.value = exc_value


if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
