"""flytekit's package ``extras``."""
