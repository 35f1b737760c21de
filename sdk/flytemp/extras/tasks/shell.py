"""flytekit's shell tasks, which this version does not have."""

from flytemp.authoring.unsupported import OutputLocation as OutputLocation
from flytemp.authoring.unsupported import ShellTask as ShellTask
