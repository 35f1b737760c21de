"""Options of an execution: the precedence of launch, launch plan, workflow and parent execution."""

from __future__ import annotations

from typing import Any

import pytest

from flytemp.errors import InputError
from flytemp.launching.launch_options import effective_options
from flytemp.records.launch import LaunchOptions, ParentCall
from flytemp.spec.models import Interface, LaunchPlanDocument, LaunchPlanSpec, WorkflowDocument, WorkflowSpec


def workflow(**settings: Any) -> WorkflowDocument:
    return WorkflowDocument(name="w", workflows={"w": WorkflowSpec(name="w", interface=Interface(), nodes=(), **settings)})


def plan(**settings: Any) -> LaunchPlanDocument:
    spec = LaunchPlanSpec(name="p", workflow="w", **settings)
    return LaunchPlanDocument(launch_plan=spec, interface=Interface(), workflow_digest="")


def child_of(**options: Any) -> ParentCall:
    return ParentCall(workflow_id="ex:p:d:parent", node="n0", attempt=1, options=LaunchOptions(**options))


def test_options_of_the_launch_take_precedence_over_the_launch_plan() -> None:
    options = effective_options(LaunchOptions(service_account="other"), plan(service_account="trainer"), workflow())
    assert options.service_account == "other"


def test_options_of_the_launch_plan_take_precedence_over_the_workflow() -> None:
    labelled = workflow(labels={"team": "a"}, interruptible=True)
    options = effective_options(LaunchOptions(), plan(labels={"tier": "b"}, interruptible=False), labelled)
    assert options.labels == {"tier": "b"}, "maps are not merged"
    assert options.interruptible is False


def test_options_of_the_workflow_apply_where_nothing_else_is_set() -> None:
    options = effective_options(LaunchOptions(), plan(), workflow(labels={"team": "a"}, interruptible=True))
    assert options == LaunchOptions(labels={"team": "a"}, interruptible=True)


def test_child_execution_inherits_limits_and_labels_that_its_launch_plan_lacks() -> None:
    parent = child_of(max_parallelism=3, labels={"run": "1"}, timeout_seconds=60)
    options = effective_options(LaunchOptions(), plan(labels={"own": "2"}), workflow(), parent)
    assert options == LaunchOptions(max_parallelism=3, labels={"own": "2"}), "the time-out is not inherited"


def test_child_execution_inherits_the_service_account_over_its_launch_plan() -> None:
    child = plan(service_account="trainer")
    assert effective_options(LaunchOptions(), child, workflow(), child_of(service_account="a")).service_account == "a"
    assert effective_options(LaunchOptions(), child, workflow(), child_of()).service_account == "trainer"


@pytest.mark.parametrize("name", ["Trainer", "a b", "-a", "a" * 254, ""])
def test_invalid_service_account_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="service_account"):
        effective_options(LaunchOptions(service_account=name), plan(), workflow())


@pytest.mark.parametrize("prefix", ["data", "ftp//host", "C:"])
def test_raw_data_prefix_must_be_a_uri_or_an_absolute_path(prefix: str) -> None:
    with pytest.raises(InputError, match="raw_data_prefix"):
        effective_options(LaunchOptions(raw_data_prefix=prefix), plan(), workflow())


def test_launch_plans_can_set_every_launch_option() -> None:
    missing = LaunchOptions.model_fields.keys() - LaunchPlanSpec.model_fields.keys()
    assert not missing
