"""Count words with shell scripts."""

from flytemp import FlyteFile, OutputLocation, ShellTask, kwtypes, task, workflow

split = ShellTask(
    name="words.split",
    script="tr -cs 'A-Za-z' '\\n' < {inputs.text} | tr 'A-Z' 'a-z' | grep . > {outputs.words}",
    inputs=kwtypes(text=FlyteFile),
    output_locs=[OutputLocation(var="words", var_type=FlyteFile, location="words.txt")],
)

most_frequent = ShellTask(
    name="words.most_frequent",
    script="""
    sort {inputs.words} | uniq -c | sort -k1,1nr -k2 | head -n {inputs.number} | awk '{{ print $2 }}' > top.txt
    echo "the most frequent word is $(head -n 1 top.txt)"
    paste -sd ' ' top.txt > {outputs.top}
    """,
    inputs=kwtypes(words=FlyteFile, number=int),
    output_locs=[OutputLocation(var="top", var_type=str, location="joined.txt")],
    retries=1,
)


@task
def write(text: str) -> FlyteFile:
    """Write the text into a file."""
    file = FlyteFile.new("text.txt")
    with open(file, "w") as out:
        out.write(text)
    return file


@workflow
def top_words(text: str, number: int = 2) -> str:
    """Return the most frequent words of a text."""
    words = split(text=write(text=text))
    frequent: str = most_frequent(words=words, number=number)
    return frequent
