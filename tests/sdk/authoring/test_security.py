"""Security contexts of launch plans: the arguments that are refused."""

from __future__ import annotations

from collections.abc import Callable

from flytemp import LaunchPlan, SecurityContext, workflow
from flytemp.models.security import Identity
from tests.messages.golden import check_golden, unlocated


@workflow
def empty() -> None:
    pass


def test_refused_arguments() -> None:
    calls: dict[str, Callable[[], object]] = {
        "iam_role": lambda: Identity(iam_role="arn:aws:iam::1:role/x"),
        "secrets": lambda: SecurityContext(secrets=["x"]),
        "text as identity": lambda: SecurityContext(run_as="trainer"),  # type: ignore[arg-type]
        "number as service account": lambda: Identity(k8s_service_account=3),  # type: ignore[arg-type]
        "text as security context": lambda: LaunchPlan.create("wrong", empty, security_context="trainer"),
    }
    check_golden("security", {name: unlocated(call) for name, call in calls.items()})
