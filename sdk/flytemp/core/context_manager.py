"""flytekit's module of `FlyteContextManager`."""

from typing import TYPE_CHECKING

from flytemp.authoring.context import ExecutionParameters as ExecutionParameters
from flytemp.authoring.context import FlyteContext as FlyteContext
from flytemp.authoring.context import FlyteContextManager as FlyteContextManager
from flytemp.authoring.context import SecretsManager as SecretsManager
from flytemp.porting.finder import other_names

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
