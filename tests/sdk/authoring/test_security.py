"""As whom tasks run: of launch plans, and what wins over it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from flytemp import LaunchPlan, SecurityContext, task, workflow
from flytemp.authoring.errors import SettingsError
from flytemp.client.options import LaunchOptions, effective_options
from flytemp.errors import InputError, NotSupported
from flytemp.models.security import Identity
from flytemp.spec.models import Interface, WorkflowDocument, WorkflowSpec


@task
def one() -> int:
    return 1


@workflow
def counting() -> int:
    return one()


_numbers = itertools.count()
TRAINER = SecurityContext(run_as=Identity(k8s_service_account="trainer"))


def effective(asked: str | None, **options: Any) -> str | None:
    plan = LaunchPlan.create(f"plan{next(_numbers)}", counting, **options)
    spec = WorkflowDocument(name="w", workflows={"w": WorkflowSpec(name="w", interface=Interface(), nodes=(), outputs={})})
    return effective_options(LaunchOptions(service_account=asked), plan.document(), spec).service_account


def test_of_a_launch_plan() -> None:
    assert effective(None, security_context=TRAINER) == "trainer"


def test_of_a_launch_wins() -> None:
    assert effective("other", security_context=TRAINER) == "other"
    assert effective("other") == "other"


def test_nobody_says() -> None:
    assert effective(None) is None
    assert effective(None, security_context=SecurityContext()) is None


@pytest.mark.parametrize("name", ["Trainer", "a b", "-a", "a" * 254, ""])
def test_what_no_account_is_called(name: str) -> None:
    with pytest.raises(InputError, match="is no name of a Kubernetes service account"):
        effective(name)


def test_what_is_not_supported() -> None:
    with pytest.raises(NotSupported, match="iam_role"):
        Identity(iam_role="arn:aws:iam::1:role/x")
    with pytest.raises(NotSupported, match="secrets"):
        SecurityContext(secrets=["x"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SecurityContext(run_as="trainer"), "run_as must be an Identity"),  # type: ignore[arg-type]
        (lambda: Identity(k8s_service_account=3), "k8s_service_account must be"),  # type: ignore[arg-type]
        (lambda: LaunchPlan.create("wrong", counting, security_context="trainer"), "security_context must be"),
    ],
)
def test_what_is_refused(make: Any, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make()
