"""Failures of the platform, under flytekit's names. They use none of a task's ``retries``."""

from __future__ import annotations

from flytemp.errors import Actor
from flytemp.exceptions.base import FlyteException


class FlyteSystemException(FlyteException):
    """Base of the failures of the platform."""

    code = "system-error"
    actor = Actor.PLATFORM


class FlyteNotImplementedException(FlyteSystemException, NotImplementedError):
    """This version does not support the request."""

    code = "not-implemented"


class FlyteEntrypointNotLoadable(FlyteSystemException):
    """The module or attribute of a task cannot be imported in the process that runs the task."""

    code = "not-loadable"


class FlyteSystemAssertion(FlyteSystemException, AssertionError):
    """An assertion of the platform failed."""

    code = "system-assertion"


class FlyteDownloadDataException(FlyteSystemException):
    """Data could not be downloaded."""

    code = "download-failed"


class FlyteUploadDataException(FlyteSystemException):
    """Data could not be uploaded."""

    code = "upload-failed"
