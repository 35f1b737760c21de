"""flytekit's module of schedules."""

from flytemp.authoring.unsupported import CronSchedule as CronSchedule
from flytemp.authoring.unsupported import FixedRate as FixedRate
from flytemp.authoring.unsupported import OnSchedule as OnSchedule
