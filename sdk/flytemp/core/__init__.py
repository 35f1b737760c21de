"""flytekit's import paths: each module exports names of flytemp under the name of flytekit's module."""
