"""The process backend: tasks run in warm Python processes of this machine, and die with their worker."""
