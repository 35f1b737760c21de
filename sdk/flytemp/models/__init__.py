"""flytekit's import paths of its models; each module here only gives names of `flytemp.authoring`."""
