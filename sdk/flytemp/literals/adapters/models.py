"""Adapters of pydantic models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import (
    BaseModel,
    PydanticUndefinedAnnotation,
    PydanticUserError,
    RootModel,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import PydanticSerializationError

from flytemp.errors import NotSupported
from flytemp.literals import simple
from flytemp.literals.adapters.base import Adapter, Fit
from flytemp.literals.adapters.structs import AdapterFor, Field, StructAdapter
from flytemp.literals.mismatch import Refused
from flytemp.literals.transfer import FileTransfer
from flytemp.literals.types import Json, LiteralType, SimpleType


class ModelAdapter(StructAdapter):
    """Adapter of a pydantic model. The conversion goes field by field, so that files inside are moved. Decoding validates."""

    cls: type[BaseModel]

    def load_fields(self) -> Mapping[str, Field]:
        if not self.cls.__pydantic_complete__:  # a field names a class that was defined later
            self.cls.model_rebuild(raise_errors=False)
        fields: dict[str, Field] = {}
        for name, info in self.cls.model_fields.items():
            required = info.is_required()
            try:
                fields[name] = self.field(name, info.annotation, required=required)
            except NotSupported as error:
                fields[name] = Field(pydantic_adapter(info.rebuild_annotation(), error), required)
        return fields

    def field_values(self, value: Any) -> Mapping[str, Any]:
        return {name: getattr(value, name) for name in self.fields}

    def build(self, values: dict[str, Any]) -> Any:
        try:
            return self.cls.model_validate(values, by_name=True, by_alias=False)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}".removeprefix(": ") for problem in error.errors()
            )
            raise Refused(
                f"{self.label} refuses the value: {problems}", hint="the value fails a validation of the model"
            ) from error


class RootModelAdapter(Adapter):
    """Adapter of a ``RootModel``, whose type is that of the wrapped value."""

    def __init__(self, cls: type[RootModel[Any]], adapter_for: AdapterFor) -> None:
        self._cls = cls
        self._root = adapter_for(cls.model_fields["root"].annotation)
        self.kind = self._root.kind
        self.label = cls.__name__

    @property
    def expected(self) -> str:
        return str(self._cls)

    def describe(self, around: tuple[Adapter, ...]) -> LiteralType:
        return self._root.describe(around)

    def fits(self, value: Any) -> Fit:
        return Fit.EXACT if type(value) is self._cls else Fit.NO

    def encode(self, value: Any, files: FileTransfer | None) -> Json:
        if type(value) is not self._cls:
            raise self.mismatch(value)
        return self._root.encode(value.root, files)

    def decode(self, literal: Json, files: FileTransfer | None) -> Any:
        try:
            return self._cls.model_validate(self._root.decode(literal, files))
        except ValidationError as error:
            raise Refused(f"{self.label} refuses the value: {error.errors()[0]['msg']}") from error


class PydanticAdapter(Adapter):
    """Adapter of an annotation that only pydantic converts to JSON, such as a UUID in a model."""

    kind = "any"

    def __init__(self, annotation: Any, adapter: TypeAdapter[Any]) -> None:
        self._adapter = adapter
        self.label = getattr(annotation, "__name__", str(annotation))

    def describe(self, around: tuple[Adapter, ...]) -> LiteralType:
        return SimpleType(kind="any")

    def fits(self, value: Any) -> Fit:
        try:
            self.encode(value, None)
        except Refused:
            return Fit.NO
        return Fit.EXACT

    def encode(self, value: Any, files: FileTransfer | None) -> Json:
        try:
            literal = self._adapter.dump_python(value, mode="json", warnings="error")
        except PydanticSerializationError as error:
            raise self.mismatch(value) from error
        # A SecretStr becomes "**********". A value that cannot be read back must not be written.
        if self.decode(literal, files) != value:
            raise Refused(
                f"a value of type {type(value)} cannot be restored from its JSON form",
                hint="use a type whose JSON form has the whole value, for instance str",
            )
        return simple.check_any(literal)

    def decode(self, literal: Json, files: FileTransfer | None) -> Any:
        try:
            return self._adapter.validate_python(literal)
        except ValidationError as error:
            raise Refused(f"expected {self.label}: {error.errors()[0]['msg']}") from error


def pydantic_adapter(annotation: Any, refusal: NotSupported | None = None) -> Adapter:
    """Return the adapter of an annotation that only pydantic converts.

    Raises:
        NotSupported: pydantic does not convert it; this is ``refusal`` if given.
    """
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(annotation)
    except (PydanticUserError, PydanticUndefinedAnnotation) as error:
        raise refusal or NotSupported(f"pydantic has no schema for {annotation}: {error}") from None
    return PydanticAdapter(annotation, adapter)


def model_adapter(cls: type[BaseModel], adapter_for: AdapterFor) -> Adapter:
    """Return the adapter of a pydantic model."""
    if issubclass(cls, RootModel):
        return RootModelAdapter(cls, adapter_for)
    if cls.model_config.get("extra") == "allow":
        return pydantic_adapter(cls)  # its fields are not known in advance
    return ModelAdapter(cls, cls.__name__, adapter_for)
