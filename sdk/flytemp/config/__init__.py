"""Settings: where Temporal and the store are, and what this machine's worker may use."""

from flytemp.config.loading import load_settings
from flytemp.config.settings import Settings, WorkerSettings

__all__ = ["Settings", "WorkerSettings", "load_settings"]
