"""The worker: the engine, the Temporal workflow around it, and the process that serves both."""
