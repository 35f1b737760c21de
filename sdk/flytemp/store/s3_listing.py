"""List of a folder of an S3 bucket, read page by page up to the required names.

s3fs's own list reads every page, and the whole parent folder if the folder does not exist.
"""

from __future__ import annotations

from typing import Any

_PAGE = 1_000  # the maximum of S3


def first_names(client: Any, path: str, limit: int | None) -> list[str]:
    """Return the first ``limit`` names directly below ``path`` ("bucket/folder"), sorted; all names without a limit.

    Raises:
        Exception: an error of the client.
    """
    bucket, _, folder = path.partition("/")
    below = folder.strip("/") + "/"
    request: dict[str, Any] = {"Bucket": bucket, "Prefix": below, "Delimiter": "/"}
    names: set[str] = set()
    while True:
        # One extra name usually proves that no later page has a smaller name.
        size = _PAGE if limit is None else min(_PAGE, max(limit + 1, 2))
        answer = client.call_s3("list_objects_v2", **request, MaxKeys=size)
        keys = [entry["Key"] for entry in answer.get("Contents", ())]
        folders = [entry["Prefix"] for entry in answer.get("CommonPrefixes", ())]
        page = [key[len(below) :] for key in (*keys, *folders) if len(key) > len(below)]
        names.update(name.rstrip("/") for name in page)
        if not answer.get("IsTruncated") or _complete(names, limit, max(page, default="")):
            return sorted(names)[:limit]
        request["ContinuationToken"] = answer["NextContinuationToken"]


def _complete(names: set[str], limit: int | None, last: str) -> bool:
    """Return whether no page after the key ``last`` can have a name that is smaller than the last required one.

    S3 orders by key, and the key of a folder ends in "/". So the folder "a/" follows the object "a-1", although "a" is the
    smaller name. Only a folder whose name is a prefix of a required name can still follow.
    """
    if limit is None or len(names) < limit:
        return False
    wanted = sorted(names)[limit - 1] if limit > 0 else ""
    starts = ((wanted[:end], wanted[end]) for end in range(1, len(wanted)))
    return not any(after < "/" and f"{start}/" > last and start not in names for start, after in starts)
