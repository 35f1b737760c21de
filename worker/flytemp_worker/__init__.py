"""flytemp."""
