"""Local installation of `flytemp dev`: a Temporal server, a worker, and the state file that other commands read."""
