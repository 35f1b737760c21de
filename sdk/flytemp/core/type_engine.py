"""flytekit's module of `TypeEngine` and `TypeTransformer`."""

from flytemp.errors import TypeMismatch as TypeTransformerFailedError
from flytemp.literals.transformers import TypeTransformer as TypeTransformer
from flytemp.literals.type_engine import TypeEngine as TypeEngine

__all__ = ["TypeEngine", "TypeTransformer", "TypeTransformerFailedError"]
