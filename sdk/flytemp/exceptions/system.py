"""Failures of what runs the tasks, under flytekit's names. They cost a task none of its ``retries``."""

from __future__ import annotations

from flytemp.errors import Actor
from flytemp.exceptions.base import FlyteException


class FlyteSystemException(FlyteException):
    """Base of the failures that are not the user's."""

    code = "system-error"
    actor = Actor.PLATFORM


class FlyteNotImplementedException(FlyteSystemException, NotImplementedError):
    """This version cannot do it."""

    code = "not-implemented"


class FlyteEntrypointNotLoadable(FlyteSystemException):
    """The task's module or attribute cannot be imported where it runs."""

    code = "not-loadable"


class FlyteSystemAssertion(FlyteSystemException, AssertionError):
    """Something of the platform's that must hold does not."""

    code = "system-assertion"


class FlyteDownloadDataException(FlyteSystemException):
    """Data could not be fetched."""

    code = "download-failed"


class FlyteUploadDataException(FlyteSystemException):
    """Data could not be stored."""

    code = "upload-failed"
