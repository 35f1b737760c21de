"""Mocks of tasks in users' tests."""

import asyncio
from unittest.mock import MagicMock

import pytest

from flytemp import ImperativeWorkflow, LaunchPlan, dynamic, map_task, task, workflow
from flytemp.errors import TypeMismatch
from flytemp.testing import patch, task_mock


@task
def price_of(item: str) -> float:
    return {"apple": 0.5}[item]


@workflow
def total(item: str, quantity: float) -> float:
    return times(price=price_of(item=item), quantity=quantity)


@task
def times(price: float, quantity: float) -> float:
    return price * quantity


def test_a_mock_replaces_a_task_inside_the_block() -> None:
    with task_mock(price_of) as mock:
        mock.return_value = 2.0
        assert total(item="gold", quantity=4.0) == 8.0
    mock.assert_called_once_with(item="gold")
    assert total(item="apple", quantity=4.0) == 2.0


def test_types_of_a_mocked_task_are_checked() -> None:
    with task_mock(price_of) as mock:
        mock.return_value = "dear"
        with pytest.raises(TypeMismatch, match="price_of"):
            total(item="gold", quantity=4.0)


@patch(price_of)
def test_a_mock_as_a_decorator(mock: MagicMock) -> None:
    mock.side_effect = [1.0, 3.0]
    assert [price_of(item="x"), price_of(item="y")] == [1.0, 3.0]


imperative = ImperativeWorkflow("mocked")
imperative.add_workflow_input("item", str)
imperative.add_workflow_output("price", imperative.add_entity(price_of, item=imperative.inputs["item"]).outputs["o0"])


@patch(imperative)
def test_a_mock_of_an_imperative_workflow(mock: MagicMock) -> None:
    mock.return_value = 7.0
    assert imperative(item="gold") == 7.0
    mock.assert_called_once_with(item="gold")


def test_a_mock_of_a_workflow_replaces_its_nodes() -> None:
    @workflow
    def outer(item: str) -> float:
        return total(item=item, quantity=2.0)

    plan = LaunchPlan.get_or_create(total)
    assert outer(item="apple") == 1.0, "the graph exists before it is mocked"
    with task_mock(total) as mock:
        mock.side_effect = lambda item, quantity: 10 * quantity
        assert total(item="gold", quantity=1.0) == 10.0
        assert outer(item="gold") == 20.0
        assert plan(item="gold", quantity=3.0) == 30.0
    assert outer(item="apple") == 1.0


def test_mocks_of_dynamic_and_async_tasks() -> None:
    @dynamic
    def generated(item: str) -> float:
        return price_of(item=item)

    @task
    async def slow(item: str) -> float:
        return 0.5

    with task_mock(generated) as mock, task_mock(slow) as slow_mock:
        mock.return_value, slow_mock.return_value = 1.0, 2.0
        assert generated(item="gold") == 1.0
        assert asyncio.run(slow(item="gold")) == 2.0


@pytest.mark.parametrize("target", [LaunchPlan.get_or_create(total), map_task(price_of), price_of.function])
def test_other_objects_cannot_be_mocked(target: object) -> None:
    with pytest.raises(ValueError, match="mocked"):
        patch(target)  # type: ignore[arg-type]
