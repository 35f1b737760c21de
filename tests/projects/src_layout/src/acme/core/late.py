from acme.core.types import Row


def total(rows: list[Row]) -> float:
    return sum(row.value for row in rows)
