"""Launch options, where users of the client look for them."""

from flytemp.records.launch import LaunchOptions

__all__ = ["LaunchOptions"]
