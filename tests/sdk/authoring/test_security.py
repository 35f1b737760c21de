"""Security contexts of launch plans: the arguments that are refused."""

from __future__ import annotations

from typing import Any

import pytest

from flytemp import LaunchPlan, SecurityContext, workflow
from flytemp.authoring.errors import SettingsError
from flytemp.errors import NotSupported
from flytemp.models.security import Identity


@workflow
def empty() -> None:
    pass


def test_unsupported_arguments() -> None:
    with pytest.raises(NotSupported, match="iam_role"):
        Identity(iam_role="arn:aws:iam::1:role/x")
    with pytest.raises(NotSupported, match="secrets"):
        SecurityContext(secrets=["x"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SecurityContext(run_as="trainer"), "run_as must be an Identity"),  # type: ignore[arg-type]
        (lambda: Identity(k8s_service_account=3), "k8s_service_account must be"),  # type: ignore[arg-type]
        (lambda: LaunchPlan.create("wrong", empty, security_context="trainer"), "security_context must be"),
    ],
)
def test_invalid_arguments(make: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make()
