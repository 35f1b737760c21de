"""flytekit's module of `Options`."""

from flytemp.authoring.execution_options import Options as Options
