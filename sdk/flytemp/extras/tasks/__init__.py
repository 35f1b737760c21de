"""Task types that flytekit keeps under ``extras.tasks``."""
