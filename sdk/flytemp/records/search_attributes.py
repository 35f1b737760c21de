"""The names of flytemp's search attributes. A SQL visibility store has room for few (10 keywords, 3 lists)."""

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
"""A SQL visibility store keeps no longer keyword."""

LABELS_BYTES = 2_000
"""Of all labels together, as JSON: the server refuses a value over 2 KiB, and with it the workflow task."""


def searchable_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels that fit into the search attribute, in their order; the others are kept in the record alone."""
    kept: dict[str, str] = {}
    size = len("[]")
    for key, value in labels.items():
        text = f"{key}={value}"
        length = len(json.dumps(text)) + len(",")
        if len(text) <= LABEL_CHARACTERS and text.isprintable() and size + length <= LABELS_BYTES:
            kept[key] = value
            size += length
    return kept
