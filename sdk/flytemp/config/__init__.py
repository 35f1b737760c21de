"""Settings: where Temporal and the store are, and what this machine's worker may use."""
