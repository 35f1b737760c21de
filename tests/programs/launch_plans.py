"""Launch plans beside their workflow: default inputs, fixed inputs, both."""
from datetime import datetime, timedelta, timezone
from typing import List

from flytemp import LaunchPlan, task, workflow


@task
def greet(day: str, number: int, am: bool) -> str:
    greeting = "Have a great " + day + " " + ("morning" if am else "evening")
    return greeting + "!" * number


@task
def window(end: datetime, length: timedelta = timedelta(hours=1)) -> List[datetime]:
    return [end - length, end]


@workflow
def go_greet(day_of_week: str, number: int, am: bool) -> str:
    return greet(day=day_of_week, number=number, am=am)


@workflow
def window_wf(end: datetime, length: timedelta = timedelta(minutes=90)) -> List[datetime]:
    return window(end=end, length=length)


morning_greeting = LaunchPlan.create("morning_greeting", go_greet, fixed_inputs={"am": True}, default_inputs={"number": 1})

default_inputs_lp = LaunchPlan.get_or_create(
    workflow=go_greet, name="default-inputs.lp", default_inputs={"day_of_week": "monday", "number": 3, "am": False}
)

morning_greeting_other = LaunchPlan.get_or_create(
    name="morning_greeting2", workflow=go_greet, fixed_inputs={"am": True, "number": 2}, default_inputs={"day_of_week": "friday"}
)

new_year_lp = LaunchPlan.get_or_create(
    window_wf, name="new_year", default_inputs={"end": datetime(2024, 1, 1, tzinfo=timezone.utc)}
)


if __name__ == "__main__":
    print(morning_greeting(day_of_week="sunday"))
    print(default_inputs_lp())
