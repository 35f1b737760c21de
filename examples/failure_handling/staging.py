"""Rows are loaded into a staging table; a failure handler removes the table after a failure."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from flytemp import FlyteError, WorkflowFailurePolicy, task, workflow


def run(database: str, *statements: str) -> None:
    """Run SQL in one transaction; the database is a file that all tasks can access."""
    with closing(sqlite3.connect(database)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


@task
def create_staging(database: str) -> str:
    """Create an empty table and return its name."""
    run(database, "DROP TABLE IF EXISTS staging", "CREATE TABLE staging (city TEXT, celsius REAL)")
    return "staging"


@task
def load(database: str, table: str, rows: list[str]) -> int:
    """Insert rows such as ``oslo,21.5`` and return their number."""
    parsed = [(city, float(celsius)) for city, celsius in (row.split(",") for row in rows)]
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(f"INSERT INTO {table} VALUES (?, ?)", parsed)
    return len(parsed)


@task
def publish(database: str, table: str, count: int) -> int:
    """Replace the published table by the staging table."""
    run(database, "DROP TABLE IF EXISTS weather", f"ALTER TABLE {table} RENAME TO weather")
    return count


@task
def clean_up(database: str, rows: list[str], err: FlyteError | None = None) -> None:
    """Remove the staging table. A failure handler has the workflow's inputs and the error."""
    run(database, "DROP TABLE IF EXISTS staging")
    if err is not None:
        print(f"removed the staging table: {err.failed_node_id} failed with {err.message}")


@workflow(on_failure=clean_up)
def refresh(database: str, rows: list[str]) -> int:
    """Replace the table ``weather``; after a failure it is unchanged."""
    table = create_staging(database=database)
    return publish(database=database, table=table, count=load(database=database, table=table, rows=rows))


@task
def average(rows: list[str]) -> float:
    """Return the mean temperature."""
    return sum(float(row.split(",")[1]) for row in rows) / len(rows)


@workflow(failure_policy=WorkflowFailurePolicy.FAIL_AFTER_EXECUTABLE_NODES_COMPLETE)
def refresh_and_report(database: str, rows: list[str], sample: list[str]) -> tuple[int, float]:
    """Refresh the table and compute the report, which does not depend on the table."""
    return refresh(database=database, rows=rows), average(rows=sample)
