"""The project that `flytemp init` writes."""
