"""flytekit's package ``extras.tasks``."""
