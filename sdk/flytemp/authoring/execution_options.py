"""Options of the executions of a workflow or launch plan: labels, annotations, raw data, identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flytemp.authoring.errors import SettingsError
from flytemp.authoring.pod import text_map
from flytemp.errors import NotSupported


@dataclass(frozen=True)
class Labels:
    """Labels of an execution."""

    values: Mapping[str, str]


@dataclass(frozen=True)
class Annotations:
    """Annotations of an execution."""

    values: Mapping[str, str]


@dataclass(frozen=True)
class RawOutputDataConfig:
    """Location of an execution's files: ``output_location_prefix`` is a URI."""

    output_location_prefix: str


@dataclass(frozen=True)
class Options:
    """Options of an execution besides its inputs.

    Raises:
        SettingsError: labels or annotations are not texts.
        NotSupported: ``security_context`` or ``notifications`` is given.
    """

    labels: Labels | Mapping[str, str] | None = None
    annotations: Annotations | Mapping[str, str] | None = None
    raw_output_data_config: RawOutputDataConfig | None = None
    security_context: Any = None
    max_parallelism: int | None = None
    notifications: Any = None
    disable_notifications: bool | None = None
    overwrite_cache: bool | None = None

    def __post_init__(self) -> None:
        self.label_map()
        self.annotation_map()
        for name in ("security_context", "notifications"):
            if getattr(self, name):
                raise NotSupported(f"Options({name}=…) is not supported", hint=f"leave {name} out")

    def label_map(self) -> dict[str, str] | None:
        """Return the labels as a dict, or None if there are none."""
        return values_of(self.labels, "labels")

    def annotation_map(self) -> dict[str, str] | None:
        """Return the annotations as a dict, or None if there are none."""
        return values_of(self.annotations, "annotations")


def values_of(given: Labels | Annotations | Mapping[str, str] | None, what: str) -> dict[str, str] | None:
    """Return labels or annotations as a dict, or None if they are not given.

    Args:
        given: labels, annotations or a mapping.
        what: the name of the option in messages.

    Raises:
        SettingsError: a key or a value is not a text.
    """
    if given is None:
        return None
    return text_map(given.values if isinstance(given, Labels | Annotations) else given, what)


@dataclass(frozen=True)
class Identity:
    """Identity of a task. Only ``k8s_service_account``, the Kubernetes service account of its pod, is supported.

    Raises:
        SettingsError: the service account is not a text.
        NotSupported: another identity is given.
    """

    iam_role: str | None = None
    k8s_service_account: str | None = None
    oauth2_client: Any = None
    execution_identity: str | None = None

    def __post_init__(self) -> None:
        for name in ("iam_role", "oauth2_client", "execution_identity"):
            if getattr(self, name):
                raise NotSupported(f"Identity({name}=…) is not supported", hint="give the service account the role")
        account = self.k8s_service_account
        if account is not None and (not isinstance(account, str) or not account):
            raise SettingsError(f"k8s_service_account must be the name of a service account, not {account!r}")


@dataclass(frozen=True)
class SecurityContext:
    """Identity of the tasks of a launch plan's executions, where tasks run as pods.

    Example: ``SecurityContext(run_as=Identity(k8s_service_account="trainer"))``. A launch can name another service account.

    Raises:
        SettingsError: ``run_as`` is not an `Identity`.
        NotSupported: secrets or tokens are given.
    """

    run_as: Identity | None = None
    secrets: Any = None
    tokens: Any = None

    def __post_init__(self) -> None:
        if self.run_as is not None and not isinstance(self.run_as, Identity):
            hint = "Identity(k8s_service_account='trainer')"
            raise SettingsError(f"run_as must be an Identity, not {self.run_as!r}", hint=hint)
        for name, instead in (("secrets", "secret_requests= of the tasks"), ("tokens", "secrets")):
            if getattr(self, name):
                raise NotSupported(f"SecurityContext({name}=…) is not supported", hint=f"use {instead}")


def service_account(context: object) -> str | None:
    """Return the service account in ``security_context=``, or None.

    Raises:
        SettingsError: ``context`` is not a `SecurityContext`.
    """
    if context is None:
        return None
    if not isinstance(context, SecurityContext):
        hint = "SecurityContext(run_as=Identity(k8s_service_account='trainer'))"
        raise SettingsError(f"security_context must be a SecurityContext, not {context!r}", hint=hint)
    return context.run_as.k8s_service_account if context.run_as is not None else None
