"""Where flytekit has `Options`."""

from flytemp.authoring.options import Options as Options
