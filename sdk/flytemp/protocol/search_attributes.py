"""Search attributes of an execution. A SQL visibility store has room for few: 10 keywords and 3 keyword lists."""

from __future__ import annotations

import json
from collections.abc import Mapping

PROJECT = "FlytempProject"
DOMAIN = "FlytempDomain"
WORKFLOW = "FlytempWorkflow"
VERSION = "FlytempVersion"
LAUNCH_PLAN = "FlytempLaunchPlan"
LABELS = "FlytempLabels"

KEYWORDS = (PROJECT, DOMAIN, WORKFLOW, VERSION, LAUNCH_PLAN)
KEYWORD_LISTS = (LABELS,)

LABEL_CHARACTERS = 255
"""Maximum length of a keyword in a SQL visibility store."""

LABELS_BYTES = 2_000
"""Maximum length of all labels as JSON. The server rejects a workflow task that sets a value of more than 2 KiB."""


def searchable_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels that fit into the search attribute, in the same order. The record keeps all labels."""
    kept: dict[str, str] = {}
    size = len("[]")
    for key, value in labels.items():
        text = f"{key}={value}"
        length = len(json.dumps(text)) + len(",")
        if len(text) <= LABEL_CHARACTERS and text.isprintable() and size + length <= LABELS_BYTES:
            kept[key] = value
            size += length
    return kept
