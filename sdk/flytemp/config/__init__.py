"""Settings: the addresses of Temporal and the store, and the limits of the worker on this machine."""

from flytemp.config.loading import load_settings
from flytemp.config.settings import Settings, WorkerSettings

__all__ = ["Settings", "WorkerSettings", "load_settings"]
