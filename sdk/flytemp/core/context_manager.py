"""flytekit's module of `FlyteContextManager`."""

from flytemp.authoring.context import ExecutionParameters as ExecutionParameters
from flytemp.authoring.context import FlyteContext as FlyteContext
from flytemp.authoring.context import FlyteContextManager as FlyteContextManager
from flytemp.authoring.context import SecretsManager as SecretsManager
