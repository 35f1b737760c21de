"""flytekit's module of notifications."""

from typing import TYPE_CHECKING

from flytemp.authoring.unsupported import Email as Email
from flytemp.authoring.unsupported import Notification as Notification
from flytemp.authoring.unsupported import PagerDuty as PagerDuty
from flytemp.authoring.unsupported import Slack as Slack
from flytemp.porting.finder import other_names

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
