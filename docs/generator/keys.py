"""Reference of the store's layout, from the docstring of `flytemp.layout`."""

from __future__ import annotations

import inspect

from flytemp import layout


def render() -> str:
    """Return the tree of keys."""
    text = inspect.getdoc(layout) or ""
    _, _, tree = text.partition("::\n")
    return f"```text\n{inspect.cleandoc(tree).strip()}\n```"
