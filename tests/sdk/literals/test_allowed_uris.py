"""URIs that a launch may name."""

from __future__ import annotations

import pytest

from flytemp.errors import InputError
from flytemp.literals.allowed_uris import AllowedUris
from flytemp.literals.types import BlobType, ListType, LiteralType, MapType, SimpleType, StructField, StructType, UnionType

ALLOWED = AllowedUris(["file:///srv/store/data", "s3://bucket/team", "https://example.com/exports", "gs://", "/srv/shared/"])
FILE = BlobType(kind="file")


@pytest.mark.parametrize(
    "uri",
    [
        "file:///srv/store/data", "file:///srv/store/data/a/b.csv", "/srv/store/data/x", "s3://bucket/team/x",
        "S3://bucket/team/x",
        "https://example.com/exports/a.csv?day=1", "https://EXAMPLE.com/exports/a", "gs://any/thing", "file:///srv/shared/x",
        "file://localhost/srv/shared/x",
    ],
)  # fmt: skip
def test_uris_below_a_prefix_are_allowed(uri: str) -> None:
    assert ALLOWED.permits(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd", "/etc/passwd", "local:///etc/passwd", "FILE:///etc/passwd", "etc/passwd", "./data",
        "~/.aws/credentials",
        "file:///srv/store/data/../../../etc/passwd", "/srv/shared/../../etc/passwd", "file:///srv/store/database",
        "file:///srv/store/data/%2e%2e/%2e%2e/registry", "s3://bucket/team-b/x",
        "s3://bucket/team/../x", "s3://bucket", "s3://other/x",
        "https://example.com/exports/%252e%252e/private",
        "https://example.com/", "https://example.com.evil.org/exports/a", "https://example.com@evil.org/exports/a",
        "https://example.com\\\\@evil.org/exports/a", "http://example.com/exports/a", "http://169.254.169.254/latest",
        "memory://x", "simplecache::file:///etc/passwd", "simplecache::s3://bucket/team/x", "zip://a::file:///etc/passwd",
        "s3://bucket/team/x::file:///etc/passwd",
        "filecache::https://example.com/exports/a", "github://owner:repo@main/x", "data:text/plain,x", "",
    ],
)  # fmt: skip
def test_other_uris_are_refused(uri: str) -> None:
    assert not ALLOWED.permits(uri)


def test_no_list_and_a_star_allow_each_uri() -> None:
    assert AllowedUris(None).permits("file:///etc/passwd")
    assert AllowedUris(["s3://x", "*"]).permits("file:///etc/passwd")
    assert not AllowedUris([]).permits("s3://x/y")


BAD = {"uri": "file:///etc/passwd", "format": ""}
STRUCT = StructType(name="m.S", fields=(StructField(name="file", type=FILE, required=True),))


@pytest.mark.parametrize(
    ("literal", "type_"),
    [
        (BAD, FILE), ({**BAD}, BlobType(kind="directory")), ([BAD], ListType(item=FILE)),
        ({"k": BAD}, MapType(key=SimpleType(kind="string"), value=FILE)), ({"file": BAD}, STRUCT),
        (BAD, UnionType(variants=(FILE, SimpleType(kind="none")))), ([{"file": BAD}], ListType(item=STRUCT)),
    ],
)  # fmt: skip
def test_files_are_found_inside_values(literal: object, type_: LiteralType) -> None:
    with pytest.raises(InputError):
        ALLOWED.check_literals({"x": literal}, {"x": type_})
    AllowedUris(None).check_literals({"x": literal}, {"x": type_})


def test_text_that_looks_like_a_uri_is_not_a_file() -> None:
    ALLOWED.check_literals({"x": "file:///etc/passwd"}, {"x": SimpleType(kind="string")})
