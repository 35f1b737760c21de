"""Dynamic tasks: loops over inputs, recursion, nesting."""

import typing
from typing import Tuple

from flytemp import Resources, conditional, dynamic, task, workflow


@task
def return_index(character: str) -> int:
    return ord(character.upper()) - ord("A")


@task
def update_list(freq_list: typing.List[int], list_index: int) -> typing.List[int]:
    freq_list[list_index] += 1
    return freq_list


@task
def derive_count(freq1: typing.List[int], freq2: typing.List[int]) -> int:
    return sum(min(one, other) for one, other in zip(freq1, freq2))


@dynamic
def count_characters(s1: str, s2: str) -> int:
    freq1 = [0] * 26
    freq2 = [0] * 26
    for i in range(len(s1)):
        index = return_index(character=s1[i])
        freq1 = update_list(freq_list=freq1, list_index=index)
    for i in range(len(s2)):
        index = return_index(character=s2[i])
        freq2 = update_list(freq_list=freq2, list_index=index)
    return derive_count(freq1=freq1, freq2=freq2)


@workflow
def count_wf(s1: str, s2: str) -> int:
    return count_characters(s1=s1, s2=s2)


@task
def split(numbers: typing.List[int]) -> Tuple[typing.List[int], typing.List[int]]:
    return numbers[0 : int(len(numbers) / 2)], numbers[int(len(numbers) / 2) :]


@task
def merge(sorted_list1: typing.List[int], sorted_list2: typing.List[int]) -> typing.List[int]:
    result = []
    while len(sorted_list1) > 0 and len(sorted_list2) > 0:
        result.append((sorted_list1 if sorted_list1[0] < sorted_list2[0] else sorted_list2).pop(0))
    return result + sorted_list1 + sorted_list2


@task
def sort_locally(numbers: typing.List[int]) -> typing.List[int]:
    return sorted(numbers)


@dynamic
def merge_sort_remotely(numbers: typing.List[int], threshold: int) -> typing.List[int]:
    split1, split2 = split(numbers=numbers)
    sorted1 = merge_sort(numbers=split1, numbers_count=len(numbers) // 2, threshold=threshold)
    sorted2 = merge_sort(numbers=split2, numbers_count=len(numbers) - len(numbers) // 2, threshold=threshold)
    return merge(sorted_list1=sorted1, sorted_list2=sorted2)


@workflow
def merge_sort(numbers: typing.List[int], numbers_count: int, threshold: int = 2) -> typing.List[int]:
    return (
        conditional("terminal_case")
        .if_(numbers_count <= threshold)
        .then(sort_locally(numbers=numbers))
        .else_()
        .then(merge_sort_remotely(numbers=numbers, threshold=threshold))
    )


@task
def add(a: int, b: int) -> int:
    return a + b


@dynamic
def fib(n: int) -> int:
    if n <= 1:
        return n
    return add(a=fib(n=n - 1), b=fib(n=n - 2))


@dynamic(retries=1)
def mixed(n: int) -> Tuple[int, str, typing.List[int]]:
    if n == 0:
        return 0, "nothing to do", []
    total = add(a=n, b=n).with_overrides(requests=Resources(cpu="1"), node_name="total")
    return total, f"{n} added", [n, total, fib(n=n)]


@workflow
def mixed_wf(n: int) -> Tuple[int, str, typing.List[int]]:
    return mixed(n=n)


if __name__ == "__main__":
    print(count_wf(s1="Pear", s2="Earth"))
