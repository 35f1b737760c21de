"""`TypeTransformer`: the base of conversions that users and plug-ins add, and the adapter of their values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from base64 import b64decode
from collections.abc import Callable
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin

from flytemp.error_text import titled
from flytemp.errors import FlytempError, InputError, LimitExceeded, TypeMismatch, UnsupportedType
from flytemp.literals.adapters.base import Adapter, Fit, type_text, value_text
from flytemp.literals.check import check_within
from flytemp.literals.file_access import FileAccess
from flytemp.literals.mismatch import Refused
from flytemp.literals.simple import write_base64
from flytemp.literals.sizes import INLINE_BYTES
from flytemp.literals.transfer import FileTransfer, are_values_inline
from flytemp.literals.types import EncodedType, Json, LiteralType, SchemaModel

T = TypeVar("T")
Result = TypeVar("Result")


class TransformContext:
    """The surroundings of one conversion. flytekit passes a ``FlyteContext`` in its place."""

    def __init__(self, files: FileTransfer | None = None) -> None:
        self.files = files

    @property
    def file_access(self) -> FileAccess:
        """Files on this machine and in the run's raw data."""
        return FileAccess(self.files)

    def put_bytes(self, data: bytes, expected: LiteralType) -> Json:
        """Return the literal of encoded data.

        More than 8 KiB are stored as a file. The data of a default or constant are always inside its literal.

        Args:
            data: the encoded value.
            expected: the `EncodedType` of the value.
        """
        if not isinstance(expected, EncodedType):
            raise TypeMismatch(f"put_bytes expects an EncodedType, got the kind {expected.kind!r}")
        if len(data) <= INLINE_BYTES or (self.files is None and are_values_inline()):
            return {"format": expected.format, "bytes": write_base64(data)}
        path = self.file_access.get_random_local_path("value")
        with open(path, "wb") as file:
            file.write(data)
        return {"format": expected.format, "uri": self.file_access.upload(path)}

    def get_bytes(self, lv: Json) -> bytes:
        """Return the encoded data of a literal that `put_bytes` made.

        Raises:
            NotFound: the data was deleted.
            StoreError: the data cannot be downloaded.
        """
        if "bytes" in lv:
            return b64decode(lv["bytes"])
        from flytemp.store import raw

        with raw.open_uri(lv["uri"], "rb") as stream:
            data: bytes = stream.read()
        return data


class TypeTransformer(ABC, Generic[T]):
    """Conversion of the values of one Python class, and of its subclasses, to literals and back.

    A subclass implements the three abstract methods. An instance is registered by an entry point of the group
    ``flytemp.types``, or by `TypeEngine.register`. The methods run in several threads at once.

    Each method may raise ``TypeError`` or ``ValueError`` for a value that does not fit. The error that the user sees has
    the position of the value, for instance inside a list.

    Args:
        name: name of the transformer in error messages.
        t: the Python class.
        enable_type_assertions: False if `to_literal` accepts values of other classes; then `assert_type` is not called.
    """

    def __init__(self, name: str, t: type[T], enable_type_assertions: bool = True) -> None:
        self._name = name
        self._type = t
        self._type_assertions_enabled = enable_type_assertions

    @property
    def name(self) -> str:
        """Name of the transformer in error messages."""
        return self._name

    @property
    def python_type(self) -> type[T]:
        """The Python class that the transformer is registered for."""
        return self._type

    @property
    def type_assertions_enabled(self) -> bool:
        """True if `assert_type` is called before `to_literal`."""
        return self._type_assertions_enabled

    @abstractmethod
    def get_literal_type(self, t: type[T]) -> LiteralType:
        """Return the type of the literals.

        Args:
            t: the annotation: the class, a subclass, a generic alias such as ``Table[int]``, or ``Annotated[…]`` of those.
        """

    @abstractmethod
    def to_literal(self, ctx: TransformContext, python_val: T, python_type: type[T], expected: LiteralType) -> Json:
        """Return the JSON of a value, in a form of the type ``expected``.

        Args:
            ctx: the run's files.
            python_val: the value.
            python_type: the annotation, as for `get_literal_type`.
            expected: the type that `get_literal_type` returned for the annotation.
        """

    @abstractmethod
    def to_python_value(self, ctx: TransformContext, lv: Json, expected_python_type: type[T]) -> T:
        """Return the value of a literal.

        Args:
            ctx: the run's files.
            lv: canonical JSON of the type that `get_literal_type` returned.
            expected_python_type: the annotation, as for `get_literal_type`.
        """

    def assert_type(self, t: type[T], v: T) -> None:
        """Check the class of a value before `to_literal`.

        Raises:
            TypeMismatch: ``v`` is not an instance of ``t``.
        """
        if not isinstance(v, class_of(t) or self._type):
            raise TypeMismatch(f"Expected value of type {t} but got '{value_text(v)}' of type {type_text(v)}")

    def adapter(self, annotation: Any) -> Adapter:
        """Return the adapter of an annotation of `python_type`, which calls the methods above."""
        return TransformedAdapter(self, annotation)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self._name!r}, t={self._type!r})"


class TransformedAdapter(Adapter):
    """Adapter of one annotation whose values a registered `TypeTransformer` converts."""

    def __init__(self, transformer: TypeTransformer[Any], annotation: Any) -> None:
        self._transformer = transformer
        self._annotation = annotation
        self._class = class_of(annotation) or transformer.python_type
        bare = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
        self.label = bare.__name__ if isinstance(bare, type) and not get_args(bare) else str(bare)
        self._literal_type = self._read_literal_type()
        self.kind = self._literal_type.kind

    @property
    def expected(self) -> str:
        return str(self._annotation)

    def describe(self, around: tuple[Adapter, ...]) -> LiteralType:
        return self._literal_type

    def fits(self, value: Any) -> Fit:
        if type(value) is self._class:
            return Fit.EXACT
        if not self._transformer.type_assertions_enabled:
            return Fit.LOOSE
        try:
            self._transformer.assert_type(self._annotation, value)
        except (TypeError, ValueError, AssertionError):
            return Fit.NO
        return Fit.LOOSE

    def encode(self, value: Any, files: FileTransfer | None) -> Json:
        transformer = self._transformer
        if transformer.type_assertions_enabled:
            self._call("check", lambda: transformer.assert_type(self._annotation, value))
        literal = self._call(
            "write", lambda: transformer.to_literal(TransformContext(files), value, self._annotation, self._literal_type)
        )
        try:
            return check_within(literal, self._literal_type)
        except Refused as refused:
            message = f"the transformer {transformer.name!r} returned a literal of another type: {refused.message}"
            raise Refused(message, hint=refused.hint) from refused

    def decode(self, literal: Json, files: FileTransfer | None) -> Any:
        checked = check_within(literal, self._literal_type)
        return self._call("read", lambda: self._transformer.to_python_value(TransformContext(files), checked, self._annotation))

    def _read_literal_type(self) -> LiteralType:
        try:
            type_ = self._transformer.get_literal_type(self._annotation)
        except FlytempError:
            raise
        except Exception as error:
            raise UnsupportedType(
                f"the transformer {self._transformer.name!r} has no type for {self.label}: {titled(error)}"
            ) from error
        if not isinstance(type_, SchemaModel):
            raise UnsupportedType(
                f"the transformer {self._transformer.name!r} returned {type_!r} as the type of {self.label}",
                hint="return a LiteralType of flytemp.extend from get_literal_type",
            )
        return type_

    def _call(self, verb: str, call: Callable[[], Result]) -> Result:
        try:
            return call()
        except Refused:
            raise
        except InputError as error:
            kind = LimitExceeded if isinstance(error, LimitExceeded) else TypeMismatch
            raise Refused(error.message, hint=error.hint, error=kind) from error
        except FlytempError:
            raise
        except Exception as error:
            message = f"the transformer {self._transformer.name!r} cannot {verb} a {self.label}: {titled(error)}"
            raise Refused(message) from error


def class_of(annotation: Any) -> type | None:
    """Return the class of an annotation: ``Table`` for ``Annotated[Table[int], …]``; None if it is not of a class."""
    if get_origin(annotation) is Annotated:
        return class_of(get_args(annotation)[0])
    origin = get_origin(annotation) or annotation
    return origin if isinstance(origin, type) else None
