from functools import wraps

from flytemp import task


def logged(fn):
    @wraps(fn)
    def wrapper(*args, **kwargs):
        print("calling", fn.__name__)
        return fn(*args, **kwargs)

    return wrapper


@task
@logged
def rounded(value: float) -> int:
    return round(value)
