"""flytekit's module of notifications."""

from flytemp.authoring.unsupported import Email as Email
from flytemp.authoring.unsupported import Notification as Notification
from flytemp.authoring.unsupported import PagerDuty as PagerDuty
from flytemp.authoring.unsupported import Slack as Slack
