"""Adapters of pydantic models."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Optional

from pydantic import (
    BaseModel,
    PydanticUndefinedAnnotation,
    PydanticUserError,
    RootModel,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import PydanticSerializationError, PydanticUndefined

from flytemp.errors import UnsupportedType
from flytemp.literals import simple
from flytemp.literals.adapters.base import Adapter, Fit
from flytemp.literals.adapters.records import RecordAdapter
from flytemp.literals.adapters.scalars import AnyAdapter
from flytemp.literals.adapters.structs import AdapterFor, Field, class_hints
from flytemp.literals.mismatch import Refused
from flytemp.literals.transfer import FileTransfer
from flytemp.literals.types import Json, LiteralType, SimpleType


class ModelAdapter(RecordAdapter):
    """Adapter of a pydantic model. The conversion goes field by field, so that files inside are moved."""

    cls: type[BaseModel]

    def load_fields(self) -> Mapping[str, Field]:
        if not self.cls.__pydantic_complete__:  # a field names a class that was defined later
            self.cls.model_rebuild(raise_errors=False)
        fields: dict[str, Field] = {}
        for name, info in self.cls.model_fields.items():
            required, none_default = info.is_required(), info.default is None
            try:
                fields[name] = self.field(name, info.annotation, required=required, none_default=none_default)
            except UnsupportedType as error:
                annotation = info.rebuild_annotation()
                if none_default:
                    annotation = Optional[annotation]  # noqa: UP045 - the annotation may be any object
                fields[name] = Field(pydantic_adapter(annotation, error), required)
        return fields

    def base_names(self) -> tuple[str, ...]:
        return tuple(base.__name__ for base in self.cls.__mro__[1:] if base is not BaseModel and issubclass(base, BaseModel))

    def runs_code(self) -> bool:
        return model_runs_code(self.cls)

    def field_values(self, value: Any) -> Mapping[str, Any]:
        return {name: getattr(value, name) for name in self.fields}

    def attributes(self, value: Any) -> Mapping[str, Any]:
        return value.__pydantic_private__ or {}

    def unset(self, value: Any) -> tuple[str, ...]:
        return tuple(name for name in self.fields if name not in value.__pydantic_fields_set__)

    def has_constant_default(self, name: str) -> bool:
        return self.cls.model_fields[name].default_factory is None

    def attribute_adapter(self, name: str) -> Adapter:
        if name not in self._private:
            try:
                self._private[name] = self.adapter_for(class_hints(self.cls)[name])
            except (KeyError, UnsupportedType):
                self._private[name] = AnyAdapter()
        return self._private[name]

    @cached_property
    def _private(self) -> dict[str, Adapter]:
        return {}

    def build(self, values: dict[str, Any]) -> Any:
        given = {name: item for name, item in values.items() if item is not None or name not in self._none_only_as_default}
        try:
            return self.cls.model_validate(given, by_name=True, by_alias=False)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}".removeprefix(": ") for problem in error.errors()
            )
            raise Refused(
                f"{self.label} refuses the value: {problems}", hint="the value fails a validation of the model"
            ) from error

    @cached_property
    def _none_only_as_default(self) -> frozenset[str]:
        """The fields with the default None for which pydantic refuses a given None."""
        fields = {name: info for name, info in self.cls.model_fields.items() if info.default is None}
        return frozenset(name for name, info in fields.items() if not _accepts_none(info.rebuild_annotation()))

    def restore(self, fields: dict[str, Any], attributes: dict[str, Any], unset: tuple[str, ...]) -> Any:
        cls = self.cls
        missing = {
            name: info.get_default(call_default_factory=True, validated_data=fields)
            for name, info in cls.model_fields.items()
            if name not in fields
        }
        private = {name: attribute.get_default() for name, attribute in cls.__private_attributes__.items()}
        private |= {name: item for name, item in attributes.items() if name in private}
        value = object.__new__(cls)
        BaseModel.__setstate__(
            value,
            {
                "__dict__": {name: fields.get(name, missing.get(name)) for name in cls.model_fields},
                "__pydantic_fields_set__": fields.keys() - set(unset),
                "__pydantic_extra__": None,
                "__pydantic_private__": {name: item for name, item in private.items() if item is not PydanticUndefined} or None,
            },
        )
        return value


def _accepts_none(annotation: Any) -> bool:
    try:
        TypeAdapter(annotation).validate_python(None)
    except (ValidationError, PydanticUserError, PydanticUndefinedAnnotation):
        return False
    return True


def model_runs_code(cls: type[BaseModel]) -> bool:
    """Return True if the constructor of a model runs code of the program, for instance a validator."""
    metaclass: Any = type(cls)
    return (
        bool(cls.__private_attributes__)
        or metaclass.__call__ is not type(BaseModel).__call__
        or cls.__new__ is not object.__new__
        or cls.__init__ is not BaseModel.__init__
        or cls.model_post_init is not BaseModel.model_post_init
        or _calls_code(cls.__pydantic_core_schema__)
    )


def _calls_code(schema: Any) -> bool:
    """Return True if a schema of pydantic calls a function that neither pydantic nor flytemp defines."""
    if isinstance(schema, list | tuple):
        return any(_calls_code(part) for part in schema)
    if not isinstance(schema, dict):
        return False
    if str(schema.get("type", "")).startswith("function-"):
        called = schema.get("function", {})
        module = str(getattr(called.get("function") if isinstance(called, dict) else called, "__module__", ""))
        if module.partition(".")[0] not in ("pydantic", "pydantic_core", "flytemp"):
            return True
    return any(_calls_code(part) for key, part in schema.items() if key not in ("metadata", "serialization"))


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
        if not isinstance(value, self._cls):
            raise self.mismatch(value)
        encoded = self._root.encode(value.root, files)
        # The literal has no place for a mark, so the validators run again.
        if self._runs_code and self.decode(self._root.encode(value.root, None), None) != self._cls.model_construct(value.root):
            raise Refused(
                f"{self.label} changes the value when it validates it again", hint="use a BaseModel with a field for the value"
            )
        return encoded

    @cached_property
    def _runs_code(self) -> bool:
        return model_runs_code(self._cls)

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


def pydantic_adapter(annotation: Any, refusal: UnsupportedType | None = None) -> Adapter:
    """Return the adapter of an annotation that only pydantic converts.

    Raises:
        UnsupportedType: pydantic does not convert it; this is ``refusal`` if given.
    """
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(annotation)
    except (PydanticUserError, PydanticUndefinedAnnotation) as error:
        raise refusal or UnsupportedType(f"pydantic has no schema for {annotation}: {error}") from None
    return PydanticAdapter(annotation, adapter)


def model_adapter(cls: type[BaseModel], adapter_for: AdapterFor) -> Adapter:
    """Return the adapter of a pydantic model."""
    if issubclass(cls, RootModel):
        return RootModelAdapter(cls, adapter_for)
    if cls.model_config.get("extra") == "allow":
        return pydantic_adapter(cls)  # its fields are not known in advance
    return ModelAdapter(cls, cls.__name__, adapter_for)
