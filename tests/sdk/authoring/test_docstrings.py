"""Docstrings in three styles."""

from __future__ import annotations

import pytest

from flytemp.authoring.docstrings import parse_docstring

GOOGLE = """Short
    over two lines.

    Long text: with a colon.

    More of it.

    Args:
        x (int, optional): The x
            that goes on.
        **kw: Others.
        plain: Text.

    Returns:
        The result: of it.

    Raises:
        ValueError: sometimes.
    """
NUMPY = """Short.

    Long.

    Parameters
    ----------
    x : int, optional
        The x
        that goes on.
    plain
        Text.

    Returns
    -------
    first : int
        One.
    second : str
        Two.
    """
SPHINX = """Short.

    Long.

    :param int x: The x
        that goes on.
    :param plain: Text.
    :type plain: str
    :returns: The result.
    :raises ValueError: sometimes.
    """


@pytest.mark.parametrize(
    ("text", "short", "long", "inputs", "outputs"),
    [
        (
            GOOGLE,
            "Short over two lines.",
            "Long text: with a colon.\n\nMore of it.",
            {"x": "The x that goes on.", "kw": "Others.", "plain": "Text."},
            [("", "The result: of it.")],
        ),
        (NUMPY, "Short.", "Long.", {"x": "The x that goes on.", "plain": "Text."}, [("first", "One."), ("second", "Two.")]),
        (SPHINX, "Short.", "Long.", {"x": "The x that goes on.", "plain": "Text."}, [("", "The result.")]),
        ("", "", "", {}, []),
        ("Only short", "Only short", "", {}, []),
        ("Short.\n\nArgs:\n    x: First.\n    y:\n        Below.\n", "Short.", "", {"x": "First.", "y": "Below."}, []),
        ("Short.\n\nReturns:\n    int: How many.", "Short.", "", {}, [("int", "How many.")]),
        ("Args:\n", "", "", {}, []),
    ],
)
def test_each_style_is_read(text: str, short: str, long: str, inputs: dict[str, str], outputs: list[tuple[str, str]]) -> None:
    found = parse_docstring(text)
    assert (found.short, found.long, found.inputs, found.outputs) == (short, long, inputs, outputs)


def test_outputs_by_name_and_by_position() -> None:
    found = parse_docstring(NUMPY)
    assert [found.output(index, name, 2) for index, name in enumerate(("o0", "o1"))] == ["One.", "Two."]
    assert found.output(0, "second", 3) == "Two."
    assert found.output(0, "o0", 3) == ""
