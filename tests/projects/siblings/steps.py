from flytemp import task
from words import WORDS


@task
def count(prefix: str) -> int:
    return sum(word.startswith(prefix) for word in WORDS)
