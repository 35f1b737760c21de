"""Everything through the package's name, as documentation with `import … as fl` writes it."""
import typing

import flytemp
import flytemp as fl

print("the module is being imported")

IMAGE_TAG = "2024-05"


@fl.task(container_image=f"ghcr.io/example/image:{IMAGE_TAG}", requests=fl.Resources(cpu="1", mem="1Gi"))
def whoami(name: str) -> str:
    ctx = flytemp.current_context()
    print(f"logging from {ctx.execution_id}")
    ctx.logging.info("a line for the log")
    return f"{name} writes to {ctx.working_directory is not None}"


@flytemp.task
def shout(text: str, marks: int = 3) -> typing.Tuple[str, int]:
    return text.upper() + "!" * marks, marks


@fl.workflow
def qualified_wf(name: str = "ada") -> typing.Tuple[str, int]:
    print("the workflow is being put together")
    text = whoami(name=name)
    loud, count = shout(text=text)
    return loud, count


@flytemp.workflow
def no_inputs_wf() -> str:
    who = whoami(name="nobody")
    return who


if __name__ == "__main__":
    print(qualified_wf())
    print(no_inputs_wf())
    print(whoami(name="a task"))
