"""The Temporal workflow around the engine: it turns commands into activities and timers, and completions into events."""
