"""What `flytemp dev` runs: a Temporal server, a worker, and the state file that other commands find them by."""
