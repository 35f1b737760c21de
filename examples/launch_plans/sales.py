"""Reports that use a sub-workflow in the same execution and launch plans as separate executions."""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass

from flytemp import LaunchPlan, map_task, task, workflow


@dataclass
class Report:
    """Sales of a region in a month."""

    region: str
    month: str
    orders: int
    revenue: float


@task
def load_orders(region: str, month: str) -> list[float]:
    """Return the amounts of the orders; deterministic for a region and month."""
    numbers = random.Random(f"{region} {month}")
    return [round(numbers.uniform(5, 100), 2) for _ in range(numbers.randint(5, 20))]


@task
def summarize(region: str, month: str, orders: list[float], minimum: float) -> Report:
    """Remove orders below the minimum."""
    counted = [amount for amount in orders if amount >= minimum]
    return Report(region, month, len(counted), round(sum(counted), 2))


@workflow
def region_report(region: str, month: str = "2026-01", minimum: float = 10.0) -> Report:
    """Compute the report of one region."""
    return summarize(region=region, month=month, orders=load_orders(region=region, month=month), minimum=minimum)


online_report = LaunchPlan.get_or_create(
    region_report, "online_report", default_inputs={"minimum": 0.0}, fixed_inputs={"region": "online"}, max_parallelism=4
)
every_report = LaunchPlan.get_or_create(region_report)


@task
def total(home: Report, online: Report, others: list[Report]) -> float:
    """Return the total revenue."""
    return round(sum(report.revenue for report in [home, online, *others]), 2)


@workflow
def company_report(regions: list[str], month: str = "2026-01") -> float:
    """Return the company's revenue in a month."""
    home = region_report(region="home", month=month)
    online = online_report(month=month)
    others = map_task(functools.partial(every_report, month=month), concurrency=2)(region=regions)
    return total(home=home, online=online, others=others)
