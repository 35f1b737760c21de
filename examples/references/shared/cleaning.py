"""What the team of the project ``shared`` offers to everybody."""

from __future__ import annotations

from flytemp import LaunchPlan, task, workflow


@task
def clean(text: str) -> str:
    """Lower case, without punctuation."""
    return "".join(letter for letter in text.lower() if letter.isalnum() or letter == " ").strip()


@task
def count_words(text: str) -> dict[str, int]:
    """How often each word is there."""
    words = text.split()
    return {word: words.count(word) for word in sorted(set(words))}


@workflow
def word_counts(text: str) -> dict[str, int]:
    """The words of a text that has not been cleaned."""
    return count_words(text=clean(text=text))


archive = LaunchPlan.get_or_create(word_counts, "archive", labels={"kept": "yes"})
