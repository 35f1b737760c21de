"""Base of files and directories: a local path, a remote source, or both."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Literal, Self, TypeVar, cast, get_args, get_origin

from typing_extensions import TypeVar as DefaultedTypeVar

from flytemp.error_text import object_text
from flytemp.errors import InputError, TypeMismatch, UnsupportedType
from flytemp.literals import transfer
from flytemp.literals.mismatch import shortened
from flytemp.store.keys import protocol_of

FormatT = DefaultedTypeVar("FormatT", default=Any)

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

    class _PathLike(os.PathLike[str], Generic[FormatT]):
        """For type checkers, a blob is generic in its format: ``FlyteFile[Literal["csv"]]``."""
else:
    _PathLike = os.PathLike

BlobT = TypeVar("BlobT", bound="Blob[Any]")
_FORMAT = re.compile(r"[A-Za-z0-9_.+-]*")
_classes: dict[tuple[type, str], type] = {}


class Blob(_PathLike[FormatT]):
    """Base of `FlyteFile` and `FlyteDirectory`; use those."""

    noun: ClassVar[str] = "file"
    blob_format: ClassVar[str] = ""
    _base: ClassVar[type]
    _local: str | None
    _source: str | None
    _target: str | Literal[False] | None
    _downloader: Callable[[], object] | None
    _downloaded: bool
    _is_input: bool

    def __init__(
        self,
        path: str | os.PathLike[str],
        downloader: Callable[[], object] | None = None,
        target: str | os.PathLike[str] | Literal[False] | None = None,
    ) -> None:
        text = location_text(path, type(self).noun)
        remote = protocol_of(text) is not None
        self._source = text if remote else None
        self._local = None if remote else text
        self._target = target if target is None or target is False else os.fspath(target)
        self._downloader = downloader
        self._downloaded = False
        self._is_input = False

    if not TYPE_CHECKING:

        def __class_getitem__(cls, item: object) -> type:
            """Return the class of a format: ``FlyteFile["csv"]``, also ``FlyteFile[Literal["csv"]]``."""
            if cls is Blob:  # as the base of a class, where the parameter is only for type checkers
                return cls
            return class_for_format(cls, _format_of(cls, item))

    @classmethod
    def extension(cls) -> str:
        """Return the format of the class, "csv" for ``FlyteFile["csv"]``, or an empty text."""
        return cls.blob_format

    @classmethod
    def from_source(cls, source: str | os.PathLike[str]) -> Self:
        """Return the read-only file or directory at ``source``, like an input of a task."""
        blob = cls(source)
        blob._is_input = blob._source is not None
        return blob

    @property
    def remote_source(self) -> str | None:
        """URI of the source; None for a local file or directory."""
        return self._source

    @property
    def remote_path(self) -> str | Literal[False] | None:
        """URI that an output of a task is uploaded to; None is a fresh URI, False disables the upload."""
        return self._target

    @property
    def path(self) -> str:
        """Path or URI that the file or directory was made of; for an input of a task, the local path of its download.

        Nothing is downloaded: the local path exists after `download` or ``open(file)``.
        """
        return self._download_path() if self._is_input else self.location

    @property
    def downloaded(self) -> bool:
        """True after the first use that needs the content at a local path."""
        return self._downloaded

    def download(self) -> str:
        """Download a remote file or directory unless it has been downloaded, and return the local path.

        For a local path, the first call calls the ``downloader``.

        Raises:
            NotFound: the remote source does not exist.
            StoreError: the remote source cannot be read.
        """
        local = self._download_path()
        if self._source is not None:
            if not os.path.exists(local):
                self._fetch(self._source, local)
        elif self._downloader is not None and not self._downloaded:
            self._downloader()
        self._downloaded = True
        return local

    def __fspath__(self) -> str:
        return self.download()

    @property
    def location(self) -> str:
        """URI of the source, or the path of a local file or directory."""
        return self._source or cast(str, self._local)

    def __str__(self) -> str:
        """Return the local path if the file exists locally, else the URI, without a download."""
        return self._local if self._local is not None and os.path.exists(self._local) else self.location

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.location!r})"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):  # as in flytekit
            return other in (self.location, self.path)
        if not isinstance(other, Blob):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self.location)

    def _identity(self) -> tuple[Any, ...]:
        return (self._base, self.blob_format, self.location, self._target)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        # Pickle cannot find the class of a format by name, because the class is created at run time.
        return (_rebuild, (self._base, self.blob_format, self.__dict__.copy()))

    def _has_local_content(self) -> bool:
        return self._source is None or (self._local is not None and os.path.exists(self._local))

    def _download_path(self) -> str:
        """Return the local path, which does not exist before a remote source is downloaded."""
        if self._local is None:
            self._local = transfer.download_path_for(cast(str, self._source))
        return self._local

    def _fetch(self, source: str, local: str) -> None:
        raise NotImplementedError

    def _refuse_writing_input(self) -> None:
        if self._is_input:
            raise InputError(
                f"{self} is an input, which other tasks may read, and cannot be written",
                hint=f"write to {self._base.__name__}.new(…) and return it",
            )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            cls._validate, serialization=core_schema.plain_serializer_function_ser_schema(cls._serialize)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        properties = {"uri": {"type": "string"}, "format": {"type": "string"}}
        return {"type": "object", "title": cls.__name__, "properties": properties, "required": ["uri"]}

    @classmethod
    def _validate(cls, value: Any) -> Blob[Any]:
        if isinstance(value, cls._base):
            return cast("Blob[Any]", value)
        if isinstance(value, dict) and value.keys() <= {"uri", "path", "format"} and ("uri" in value) != ("path" in value):
            value = value.get("uri", value.get("path"))
        if not isinstance(value, str | os.PathLike):
            raise ValueError(f"a {cls.noun} is a path, a URI or a {cls._base.__name__}")
        return cls(value)

    @staticmethod
    def _serialize(value: Blob[Any]) -> dict[str, str]:
        return {"uri": value.location, "format": value.blob_format}


def location_text(path: object, noun: str) -> str:
    """Return the path or URI as text.

    Raises:
        TypeMismatch: the value is not a path or URI.
    """
    if path is None:
        raise TypeMismatch(f"None value cannot be converted to a {noun}.", hint="declare it as Optional[…]")
    # Not `os.fspath` for a blob, because that downloads.
    text = path.location if isinstance(path, Blob) else os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str):
        given = f"'{shortened(object_text(path))}' of type {object_text(type(path))}"
        raise TypeMismatch(f"the path of a {noun} must be a str or a pathlib.Path, not {given}")
    if not text:
        raise TypeMismatch(f"the path of a {noun} is empty")
    return text


def class_for_format(base: type[BlobT], format_: str) -> type[BlobT]:
    """Return the class of a format, ``FlyteFile["csv"]``, or the base for an empty format."""
    root = cast(type[BlobT], base._base)
    if not format_:
        return root
    known = _classes.get((root, format_))
    if known is None:
        name = f'{root.__name__}["{format_}"]'
        made = type(name, (root,), {"blob_format": format_, "__module__": root.__module__, "__doc__": root.__doc__})
        known = _classes.setdefault((root, format_), made)
    return cast(type[BlobT], known)


def read_only(base: type[BlobT], uri: str, format_: str, local: str | None) -> BlobT:
    """Return the input of a task at ``uri``, which is downloaded to ``local`` when it is opened."""
    blob = class_for_format(base, format_).from_source(uri)
    if blob._source is not None:
        blob._local = local
    return blob


def _rebuild(base: type[BlobT], format_: str, state: dict[str, Any]) -> BlobT:
    made = class_for_format(base, format_)
    blob = made.__new__(made)
    cast(Any, blob).__dict__.update(state)
    return blob


def _format_of(cls: type[Blob[Any]], item: object) -> str:
    if isinstance(item, list | tuple) and len(item) == 1:
        item = item[0]
    if isinstance(item, TypeVar):  # flytekit's form for type checkers
        item = item.__name__
    if get_origin(item) is Annotated:  # Annotated[str, FileExt("tar.gz")]
        item = str(get_args(item)[1])
    if get_origin(item) is Literal and len(get_args(item)) == 1:
        item = get_args(item)[0]
    if not isinstance(item, str) or not _FORMAT.fullmatch(item.lstrip(".")):
        raise UnsupportedType(
            f'{cls.__name__}[{item!r}]: the format of a {cls.noun} must be a text such as "csv"',
            hint=f'write {cls._base.__name__}["csv"]',
        )
    return item.lstrip(".")
