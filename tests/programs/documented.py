"""One workflow for each style of docstrings."""
from typing import Tuple

from flytemp import task, workflow


@task
def halve(x: float) -> float:
    """Divide by two."""
    return x / 2


@workflow
def sphinx_docstring_wf(x: float = 1.0, y: float = 2.0) -> Tuple[float, float]:
    """
    Halves of two numbers

    This workflow takes two numbers
    and halves both.

    :param x: The first number
    :param y: The second number,
        which may be large
    :return: Both halves
    """
    return halve(x=x), halve(x=y)


@workflow
def numpy_docstring_wf(x: float = 1.0, y: float = 2.0) -> Tuple[float, float]:
    """
    Halves of two numbers

    This workflow takes two numbers
    and halves both.

    Parameters
    ----------
    x : float
        The first number
    y : float
        The second number,
        which may be large

    Returns
    -------
    o0 : float
        Half of the first
    o1 : float
        Half of the second
    """
    return halve(x=x), halve(x=y)


@workflow
def google_docstring_wf(x: float = 1.0, y: float = 2.0) -> float:
    """
    Half of a number

    This workflow takes two numbers
    and halves one.

    Args:
      x (float): The first number
      y (float): The second number,
        which may be large

    Returns:
      float: Half of the first

    Raises:
      ValueError: never
    """
    return halve(x=x)
