"""Where flytekit has `Options`."""

from flytemp.authoring.execution_options import Options as Options
