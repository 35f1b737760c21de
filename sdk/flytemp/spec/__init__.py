"""The spec: what a program compiles to, what the registry holds and what the engine runs."""
