"""Files and directories between tasks."""
import csv
import os
from pathlib import Path
from typing import List

import flytemp
from flytemp import task, workflow
from flytemp.types.directory import FlyteDirectory
from flytemp.types.file import FlyteFile


@task
def make_table(rows: int) -> FlyteFile["csv"]:
    out_path = os.path.join(flytemp.current_context().working_directory, "table.csv")
    with open(out_path, mode="w", newline="") as output_file:
        writer = csv.writer(output_file)
        writer.writerow(["name", "value"])
        writer.writerows([f"row {number}", number] for number in range(rows))
    return FlyteFile["csv"](path=out_path)


@task
def normalize_column(csv_url: FlyteFile, column: str) -> List[float]:
    with open(csv_url, newline="\n") as input_file:
        values = [float(row[column]) for row in csv.DictReader(input_file)]
    mean = sum(values) / len(values)
    return [value - mean for value in values]


@task
def split(csv_url: FlyteFile) -> FlyteDirectory:
    local_dir = Path(flytemp.current_context().working_directory) / "parts"
    local_dir.mkdir(exist_ok=True)
    with open(csv_url) as input_file:
        for number, line in enumerate(input_file):
            (local_dir / f"{number}.txt").write_text(line.strip())
    return FlyteDirectory(path=str(local_dir))


@task
def names(parts: FlyteDirectory) -> List[str]:
    parts.download()
    return sorted(os.listdir(parts))


@workflow
def normalize_wf(rows: int = 3) -> List[float]:
    return normalize_column(csv_url=make_table(rows=rows), column="value")


@workflow
def split_wf(rows: int = 2) -> List[str]:
    return names(parts=split(csv_url=make_table(rows=rows)))
