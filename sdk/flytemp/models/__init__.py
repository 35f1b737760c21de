"""flytekit's import paths of its models: each module exports names of flytemp."""
