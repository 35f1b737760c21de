"""flytekit's module of `TypeEngine` and `TypeTransformer`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flytemp.errors import TypeMismatch as TypeTransformerFailedError
from flytemp.errors import UnsupportedType as RestrictedTypeError
from flytemp.literals.transformers import T, TypeTransformer
from flytemp.literals.type_engine import TypeEngine
from flytemp.porting.finder import other_names


@dataclass(frozen=True)
class BatchSize:
    """Number of files that flytekit transfers at a time, as an annotation of a directory. flytemp transfers without batches."""

    val: int


__all__ = ["BatchSize", "RestrictedTypeError", "T", "TypeEngine", "TypeTransformer", "TypeTransformerFailedError"]

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
