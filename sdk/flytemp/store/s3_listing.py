"""Listing a folder of an S3 bucket page by page, and no further than the names that are wanted.

s3fs's own listing reads every page, and the whole parent folder when there is nothing.
"""

from __future__ import annotations

from typing import Any

_PAGE = 1_000  # the most that S3 gives at once


def first_names(client: Any, path: str, limit: int | None) -> list[str]:
    """The first ``limit`` names directly below ``path`` ("bucket/folder"), in order; all without a limit.

    Raises:
        Exception: whatever the client raises.
    """
    bucket, _, folder = path.partition("/")
    below = folder.strip("/") + "/"
    request: dict[str, Any] = {"Bucket": bucket, "Prefix": below, "Delimiter": "/"}
    names: set[str] = set()
    while True:
        # One name more than wanted usually shows that nothing before it is to come.
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
    """Whether no page after ``last`` holds a name before the last one wanted.

    S3 orders by key, in which a folder ends in "/": the folder "a/" comes after the object "a-1", though "a" is the
    smaller name. So what may still come before is a folder whose name a wanted name begins with.
    """
    if limit is None or len(names) < limit:
        return False
    wanted = sorted(names)[limit - 1] if limit > 0 else ""
    starts = ((wanted[:end], wanted[end]) for end in range(1, len(wanted)))
    return not any(after < "/" and f"{start}/" > last and start not in names for start, after in starts)
