"""Tasks and workflows that the project ``shared`` offers to other projects."""

from __future__ import annotations

from flytemp import LaunchPlan, task, workflow


@task
def clean(text: str) -> str:
    """Return the text in lower case without punctuation."""
    return "".join(letter for letter in text.lower() if letter.isalnum() or letter == " ").strip()


@task
def count_words(text: str) -> dict[str, int]:
    """Return the number of occurrences of each word."""
    words = text.split()
    return {word: words.count(word) for word in sorted(set(words))}


@workflow
def word_counts(text: str) -> dict[str, int]:
    """Clean a text and count its words."""
    return count_words(text=clean(text=text))


archive = LaunchPlan.get_or_create(word_counts, "archive", labels={"kept": "yes"})
