"""Tasks that describe the columns of a table, and a workflow that is built from a configuration."""

from __future__ import annotations

from flytemp import ImperativeWorkflow, task


@task
def read_column(table: dict[str, list[float]], column: str) -> list[float]:
    """Return the values of one column."""
    return table[column]


@task
def spread(values: list[float]) -> float:
    """Return the difference between the largest and the smallest value."""
    return max(values) - min(values)


@task
def mean(values: list[float]) -> float:
    """Return the mean."""
    return sum(values) / len(values)


@task
def report(names: list[str], numbers: list[float]) -> str:
    """Return names and numbers as lines of text."""
    return "\n".join(f"{name}: {number:g}" for name, number in zip(names, numbers, strict=True))


STATISTICS = [("height", mean), ("height", spread), ("weight", mean)]
"""Statistics to compute for each column; a configuration file could contain this."""

statistics = ImperativeWorkflow("column_statistics")
table = statistics.add_workflow_input("table", dict[str, list[float]])

numbers = []
for name in sorted({column for column, _ in STATISTICS}):
    values = statistics.add_task(read_column, table=table, column=name)
    for column, statistic in STATISTICS:
        if column == name:
            numbers.append(statistics.add_task(statistic, values=values.outputs["o0"]).outputs["o0"])

names = [f"{statistic.name.rpartition('.')[2]} of {column}" for column, statistic in sorted(STATISTICS, key=lambda pair: pair[0])]
text = statistics.add_task(report, names=names, numbers=numbers)
statistics.add_workflow_output("text", text.outputs["o0"])
