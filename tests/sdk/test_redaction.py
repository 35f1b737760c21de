"""Credentials in URIs are not shown."""

from __future__ import annotations

import pytest

from flytemp.errors import InputError
from flytemp.redaction import without_credentials
from flytemp.store.failures import store_error


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sftp://user:secret@host/x", "sftp://***@host/x"),
        ("cannot read s3://KEY:se/cr+et@bucket/k: no", "cannot read s3://***@bucket/k: no"),
        ("ftp://user:1234@host/x and ftp://u:5@h", "ftp://***@host/x and ftp://***@h"),
        ("https://h/x?X-Amz-Signature=abc&part=1", "https://h/x?X-Amz-Signature=***&part=1"),
        ("https://h/x?sv=1&sig=AA%3D", "https://h/x?sv=1&sig=***"),
        ("https://h/x?access_token=abc", "https://h/x?access_token=***"),
        ("https://h/x?secret_access_key=abc&pwd=d", "https://h/x?secret_access_key=***&pwd=***"),
        ("s3://bucket/path?versionId=3", "s3://bucket/path?versionId=3"),
        ("http://localhost:9000/a@b", "http://localhost:9000/a@b"),
        ("no server at http://h:9000: ask a@b", "no server at http://h:9000: ask a@b"),
        ("https://token@host/x", "https://***@host/x"),
        ("mail user:secret@host", "mail user:secret@host"),
    ],
)
def test_credentials_are_replaced(text: str, shown: str) -> None:
    assert without_credentials(text) == shown


def test_errors_do_not_contain_credentials() -> None:
    error = InputError("cannot use sftp://u:secret@h", hint="see sftp://u:secret@h")
    failed = store_error("write", "sftp://u:secret@h/x", OSError(5, "no answer from sftp://u:secret@h"))
    for text in (str(error), error.message, error.hint, *error.args, str(failed), failed.message):
        assert "secret" not in str(text)
