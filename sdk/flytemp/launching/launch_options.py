"""Options of an execution: combined from its launch, its launch plan, its workflow and its parent execution."""

from __future__ import annotations

import re
from typing import Any

from flytemp.errors import InputError
from flytemp.protocol.json_checks import check_json
from flytemp.records.launch import LaunchOptions, ParentCall
from flytemp.spec.bounds import MAX_COUNT, MAX_DURATION, MAX_SECONDS
from flytemp.spec.models import Document, LaunchPlanDocument, TaskDocument, WorkflowDocument
from flytemp.store.keys import protocol_of

MAX_OPTIONS_BYTES = 64 * 1024
"""Maximum length of the options of a launch as JSON. They are in the history of the execution and in those of its children."""

_ACCOUNT = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_INHERITED_AS_DEFAULT = ("max_parallelism", "labels", "annotations")
"""Options that a child execution inherits where its launch plan does not set them."""
_INHERITED = ("interruptible", "overwrite_cache", "raw_data_prefix", "service_account")
"""Options that a child execution inherits even if its launch plan sets them."""


def effective_options(
    requested: LaunchOptions,
    document: Document,
    spec: WorkflowDocument | TaskDocument,
    parent: ParentCall | None = None,
) -> LaunchOptions:
    """Return the options that apply to an execution.

    The precedence is Flyte's: the launch's options, then the launch plan's, then the workflow's. Labels and annotations of
    different levels are not merged. A child execution inherits options of its parent as in flytekit: as part of the launch's
    own options, or, for limits and labels, only where its launch plan sets none. It never inherits the time-out, because
    a parent that times out stops its children anyway.

    Args:
        requested: the options of the launch itself.
        document: the task, workflow or launch plan that is launched.
        spec: the document that runs: the launch plan's workflow, or ``document``.
        parent: the call by the parent execution, for a child execution.

    Raises:
        InputError: the value of an option is invalid.
    """
    given = requested.model_dump(exclude_none=True)
    plan = _plan_options(document)
    inherited = _inherited(parent.options, plan) if parent is not None else {}
    return check_options(LaunchOptions.model_construct(**{**_workflow_options(spec), **plan, **inherited, **given}))


def _plan_options(document: Document) -> dict[str, Any]:
    if not isinstance(document, LaunchPlanDocument):
        return {}
    return {
        name: value
        for name, value in document.launch_plan.model_dump(exclude_none=True).items()
        if name in LaunchOptions.model_fields
    }


def _workflow_options(spec: WorkflowDocument | TaskDocument) -> dict[str, Any]:
    if not isinstance(spec, WorkflowDocument):
        return {}
    root = spec.root
    return {
        "labels": root.labels or None,
        "annotations": root.annotations or None,
        "interruptible": root.interruptible or None,
    }


def _inherited(parent: LaunchOptions, plan: dict[str, Any]) -> dict[str, Any]:
    names = [name for name in _INHERITED_AS_DEFAULT if name not in plan] + list(_INHERITED)
    options = parent.model_dump(exclude_none=True)
    return {name: options[name] for name in names if name in options}


def check_options(options: LaunchOptions) -> LaunchOptions:
    """Return ``options`` if every value is valid.

    Raises:
        InputError: ``max_parallelism`` or ``timeout_seconds`` is out of bounds, ``raw_data_prefix`` is neither a URI nor an
            absolute path, or ``service_account`` cannot be the name of a Kubernetes service account.
        LimitExceeded: the options, of which labels and annotations may be long, are too long.
    """
    check_json(options.model_dump(mode="json", exclude_none=True), "the options of the launch", MAX_OPTIONS_BYTES)
    if options.max_parallelism is not None and not 0 <= options.max_parallelism <= MAX_COUNT:
        raise InputError(
            f"max_parallelism is {options.max_parallelism}, but must be 0 or more, and at most {MAX_COUNT}",
            hint="it is the maximum number of tasks that run at once; 0 means no limit",
        )
    if options.timeout_seconds is not None and not 0 < options.timeout_seconds <= MAX_SECONDS:
        raise InputError(
            f"timeout_seconds is {options.timeout_seconds}, but must be more than 0, and at most {MAX_DURATION}",
            hint="leave it out for no limit",
        )
    prefix = options.raw_data_prefix
    if prefix is not None and not prefix.startswith("/") and protocol_of(prefix) is None:
        raise InputError(
            f"raw_data_prefix {prefix!r} is neither a URI nor an absolute path",
            hint="for instance s3://bucket/prefix or /srv/data",
        )
    account = options.service_account
    if account is not None and (len(account) > 253 or not _ACCOUNT.fullmatch(account)):
        raise InputError(
            f"service_account {account!r} cannot be the name of a Kubernetes service account",
            hint="use lower-case letters, digits, '-' and '.'; `kubectl get serviceaccounts` lists the existing ones",
        )
    return options
