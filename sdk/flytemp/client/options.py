"""Launch options: what holds for an execution, of all that was said about it."""

from __future__ import annotations

import re
from typing import Any

from flytemp.errors import InputError
from flytemp.records.launch import LaunchOptions
from flytemp.spec.models import Document, LaunchPlanDocument, TaskDocument, WorkflowDocument
from flytemp.store.keys import protocol_of

__all__ = ["LaunchOptions", "check_options", "effective_options"]

_ACCOUNT = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


def effective_options(
    asked: LaunchOptions, document: Document, spec: WorkflowDocument | TaskDocument
) -> LaunchOptions:
    """The execution's own options over the launch plan's over the workflow's (Flyte's order, no merging of maps).

    Args:
        asked: the execution's own.
        document: what was launched.
        spec: what runs: the launch plan's workflow, or the document itself.

    Raises:
        InputError: an option that holds makes no sense.
    """
    given = asked.model_dump(exclude_none=True)
    plan: dict[str, Any] = {}
    if isinstance(document, LaunchPlanDocument):
        plan = {
            name: value
            for name, value in document.launch_plan.model_dump().items()
            if name in LaunchOptions.model_fields and value is not None
        }
    base: dict[str, Any] = {}
    if isinstance(spec, WorkflowDocument):
        root = spec.root
        base = {
            "labels": root.labels or None,
            "annotations": root.annotations or None,
            "interruptible": root.interruptible or None,
        }
    return check_options(LaunchOptions.model_construct(**{**base, **plan, **given}))


def check_options(options: LaunchOptions) -> LaunchOptions:
    """Return ``options`` if they make sense.

    Raises:
        InputError: otherwise; an engine with a negative parallelism would wait for ever.
    """
    if options.max_parallelism is not None and options.max_parallelism < 0:
        raise InputError(
            f"max_parallelism is {options.max_parallelism}",
            hint="it is the number of tasks that may run at once, 0 for no limit",
        )
    prefix = options.raw_data_prefix
    if prefix is not None and not prefix.startswith("/") and protocol_of(prefix) is None:
        raise InputError(
            f"raw_data_prefix {prefix!r} is no URI and no absolute path",
            hint="for instance s3://bucket/prefix or /srv/data",
        )
    account = options.service_account
    if account is not None and (len(account) > 253 or not _ACCOUNT.fullmatch(account)):
        raise InputError(
            f"service_account {account!r} is no name of a Kubernetes service account",
            hint="it has lower-case letters, digits, '-' and '.'; `kubectl get serviceaccounts` lists those that there are",
        )
    return options
