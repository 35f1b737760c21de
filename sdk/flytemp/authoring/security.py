"""As whom an execution's tasks run: flytekit's `SecurityContext`, of which a Kubernetes service account is supported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flytemp.authoring.errors import SettingsError
from flytemp.errors import NotSupported


@dataclass(frozen=True)
class Identity:
    """Who a task is. ``k8s_service_account`` is that of its pod; the others are not supported."""

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
            raise SettingsError(f"k8s_service_account must be a service account's name, not {account!r}")


@dataclass(frozen=True)
class SecurityContext:
    """As whom the tasks of a launch plan's executions run, where they are pods.

    ``SecurityContext(run_as=Identity(k8s_service_account="trainer"))``. A launch that names another account wins.
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
    """The service account in ``security_context=``.

    Raises:
        SettingsError: when that is no `SecurityContext`.
    """
    if context is None:
        return None
    if not isinstance(context, SecurityContext):
        hint = "SecurityContext(run_as=Identity(k8s_service_account='trainer'))"
        raise SettingsError(f"security_context must be a SecurityContext, not {context!r}", hint=hint)
    return context.run_as.k8s_service_account if context.run_as is not None else None
