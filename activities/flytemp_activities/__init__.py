"""Everything that does I/O for the engine: resolving launches, running tasks, saving state, recording executions."""
