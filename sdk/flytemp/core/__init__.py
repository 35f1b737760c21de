"""flytekit's import paths: each module here only gives names of `flytemp.authoring` under flytekit's module name."""
