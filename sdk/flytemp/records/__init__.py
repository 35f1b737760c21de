"""Executions as every reader sees them: the client, the command line and the record in the store."""
