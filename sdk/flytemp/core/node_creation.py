"""flytekit's module of `create_node`."""

from typing import TYPE_CHECKING

from flytemp.authoring.compilation import create_node as create_node
from flytemp.porting.finder import other_names

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
