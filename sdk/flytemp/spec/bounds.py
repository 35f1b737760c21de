"""Bounds of durations and counts in specs and launches."""

from __future__ import annotations

MAX_SECONDS = 36_500 * 86_400.0
"""Maximum duration in seconds: 100 years of 365 days. Temporal adds durations to the current time in 64-bit nanoseconds, which
end after 292 years."""

MAX_DURATION = "36,500 days"
"""`MAX_SECONDS` in messages."""

MAX_FACTOR = 1_000_000
"""Maximum growth of a back-off from one attempt to the next."""

MAX_COUNT = 2**31 - 1
"""Maximum of a count, such as ``retries``: programs in other languages read 32-bit integers."""
