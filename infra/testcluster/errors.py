"""Errors of the test cluster."""

from __future__ import annotations


class ClusterError(Exception):
    """Failure of a part of the cluster; the message names the part and its log."""


class Unavailable(ClusterError):
    """The machine lacks a requirement of the cluster, which the message names. Tests are skipped."""
