"""Mocks of tasks in users' tests."""

from unittest.mock import MagicMock

import pytest

from flytemp import task, workflow
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
