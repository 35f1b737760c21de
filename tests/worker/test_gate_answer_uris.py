"""Answers to gates name only URIs that a launch may name."""

from __future__ import annotations

import pytest

from flytemp.errors import InputError
from flytemp.literals.allowed_uris import AllowedUris
from flytemp_worker.workflow.gate_answer_checks import gate_conversion

GATE = {"kind": "input", "name": "table", "type": {"kind": "file", "format": ""}, "timeout": None}


def test_answer_cannot_name_a_file_of_the_worker() -> None:
    convert = gate_conversion(AllowedUris(["s3://bucket"]))
    assert convert(GATE, "s3://bucket/table.csv") == {"uri": "s3://bucket/table.csv", "format": ""}
    with pytest.raises(InputError):
        convert(GATE, "file:///etc/passwd")


def test_answer_names_each_uri_without_a_list() -> None:
    assert gate_conversion(AllowedUris(None))(GATE, "/etc/hosts") == {"uri": "/etc/hosts", "format": ""}
