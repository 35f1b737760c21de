"""flytekit's module of schedules."""

from typing import TYPE_CHECKING

from flytemp.authoring.unsupported import CronSchedule as CronSchedule
from flytemp.authoring.unsupported import FixedRate as FixedRate
from flytemp.authoring.unsupported import OnSchedule as OnSchedule
from flytemp.porting.finder import other_names

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
