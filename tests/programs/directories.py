"""Files in dataclasses, lists and dicts; directories; files read and written in the usual ways."""
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Tuple, TypeVar

from flytemp import current_context, task, workflow
from flytemp.types.directory import FlyteDirectory
from flytemp.types.file import FlyteFile, JSONLFile


@dataclass
class Split:
    train: FlyteFile
    test: FlyteFile
    rows: int


@task
def write(text: str) -> FlyteFile:
    path = os.path.join(tempfile.mkdtemp(), "text.txt")
    with open(path, "w") as out:
        out.write(text)
    return FlyteFile(path)


@task
def write_by_path(text: str) -> FlyteFile:
    path = Path(current_context().working_directory) / "by_path.txt"
    path.write_text(text)
    return path


@task
def write_by_text(text: str) -> FlyteFile[TypeVar("txt")]:
    path = os.path.join(current_context().working_directory, "by_text.txt")
    Path(path).write_text(text)
    return path


@task
def split(source: FlyteFile) -> Split:
    folder = Path(current_context().working_directory)
    words = Path(source.download()).read_text().split()
    half = len(words) // 2
    (folder / "train.json").write_text(json.dumps(words[:half]))
    (folder / "test.json").write_text(json.dumps(words[half:]))
    return Split(FlyteFile(str(folder / "train.json")), FlyteFile(str(folder / "test.json")), len(words))


@task
def load(file: FlyteFile) -> List[str]:
    with file.open("r") as stream:
        return json.load(stream)


@task
def sizes(files: List[FlyteFile], named: Dict[str, FlyteFile]) -> Dict[str, int]:
    found = {str(index): os.path.getsize(file) for index, file in enumerate(files)}
    return {**found, **{name: os.path.getsize(file) for name, file in named.items()}}


@task
def folder(count: int) -> FlyteDirectory:
    root = Path(current_context().working_directory) / "folder"
    (root / "deep").mkdir(parents=True)
    for number in range(count):
        (root / f"{number}.txt").write_text(str(number))
    (root / "deep" / "last.txt").write_text("last")
    return FlyteDirectory(str(root))


@task
def contents(folder: FlyteDirectory) -> List[str]:
    return sorted(os.path.relpath(os.path.join(root, name), folder.path)
                  for root, _, files in os.walk(folder) for name in files)


@task
def lines(folder: FlyteDirectory, extra: Optional[FlyteFile] = None) -> str:
    local = folder.download()
    more = "" if extra is None else Path(extra).read_text()
    return (Path(local) / "deep" / "last.txt").read_text() + more


@task
def jsonl() -> JSONLFile:
    path = os.path.join(current_context().working_directory, "rows.jsonl")
    Path(path).write_text('{"a": 1}\n{"a": 2}\n')
    return JSONLFile(path=path)


@task
def count_lines(rows: JSONLFile) -> int:
    with open(rows) as stream:
        return len(stream.readlines())


@workflow
def split_wf(text: str = "a b c d e") -> Tuple[int, List[str], List[str]]:
    parts = split(source=write(text=text))
    return parts.rows, load(file=parts.train), load(file=parts.test)


@workflow
def sizes_wf() -> Dict[str, int]:
    first, second = write(text="one"), write_by_path(text="three")
    return sizes(files=[first, second], named={"third": write_by_text(text="seventh")})


@workflow
def folder_wf(count: int = 2) -> Tuple[List[str], str]:
    made = folder(count=count)
    return contents(folder=made), lines(folder=made, extra=write(text="!"))


@workflow
def jsonl_wf() -> int:
    return count_lines(rows=jsonl())


@task
def size_of(file: FlyteFile) -> int:
    return len(Path(file).read_bytes())


@workflow
def size_wf(file: FlyteFile) -> int:
    return size_of(file=file)


if __name__ == "__main__":
    print(split_wf(), sizes_wf(), folder_wf(), jsonl_wf(), size_wf(file=__file__) > 1)
