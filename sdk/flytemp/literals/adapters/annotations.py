"""The resolved annotations of a class."""

from __future__ import annotations

import typing
from typing import Any

from flytemp.errors import NotSupported


def class_hints(cls: type) -> dict[str, Any]:
    """The annotations of the class and its bases, with texts resolved.

    Raises:
        NotSupported: when a text names nothing that its module knows.
    """
    try:
        # Its own name, so that a class made inside a function may contain itself.
        return typing.get_type_hints(cls, localns={cls.__name__: cls}, include_extras=True)
    except NameError as error:
        raise NotSupported(
            f"the annotations of {cls.__qualname__} cannot be resolved: {error}",
            hint="define or import the name at the top of the module, not under TYPE_CHECKING or inside a function",
        ) from None
    except TypeError as error:
        raise NotSupported(
            f"the annotations of {cls.__qualname__} cannot be resolved: {error}", hint="check their spelling"
        ) from None
