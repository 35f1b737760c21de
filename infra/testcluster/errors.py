"""What can go wrong with the test cluster."""

from __future__ import annotations


class ClusterError(Exception):
    """A part of the cluster did not do what it was told; the message names the part and its log."""


class Unavailable(ClusterError):
    """This machine cannot have the cluster at all; the message says what is missing. Tests skip with it."""
