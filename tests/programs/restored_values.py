"""Values of classes whose constructors run code, subclasses and optional parts: between tasks, maps, dynamic and child executions."""
from dataclasses import dataclass, field
from typing import List, Optional

from pydantic import BaseModel, PrivateAttr, field_validator

from flytemp import LaunchPlan, dynamic, map_task, task, workflow


@dataclass
class Account:
    owner: str
    balance: float = 0
    entries: int = field(init=False)

    def __post_init__(self) -> None:
        self.owner += "!"
        self.entries = 0


@dataclass
class Savings(Account):
    rate: Optional[float] = None


class Rule(BaseModel):
    words: List[str] = []
    _uses: int = PrivateAttr(default=0)

    @field_validator("words", mode="before")
    @classmethod
    def _split(cls, text: str) -> List[str]:
        if not isinstance(text, str):
            raise ValueError("the words must be a text")
        return text.split()


@task
def open_account(owner: str) -> Savings:
    return Savings(owner, rate=0.5)


@task
def deposit(account: Savings, amount: float) -> Savings:
    account.balance += amount
    account.entries += 1
    return account


@task
def describe(account: Account) -> str:
    return f"{type(account).__name__} {account.owner} {account.balance} {account.entries}"


@task
def count(accounts: List[Optional[Account]]) -> int:
    return sum(account.entries for account in accounts if account is not None)


@task
def percent(rate: float) -> float:
    return rate * 100


@task
def make_rule(text: str) -> Rule:
    return Rule(words=text)


@task
def use(rule: Rule) -> Rule:
    rule._uses += 1
    return rule


@task
def uses(rule: Rule) -> str:
    return f"{rule.words} {rule._uses}"


@workflow
def describe_wf(account: Account) -> str:
    return describe(account=account)


describe_lp = LaunchPlan.get_or_create(describe_wf, name="describe-account")


@dynamic
def deposits(account: Savings, times: int) -> Savings:
    for _ in range(times):
        account = deposit(account=account, amount=1)
    return account


@workflow
def accounts_wf(owner: str = "ada") -> tuple[str, str, int, float]:
    account = deposit(account=open_account(owner=owner), amount=10)
    more = deposits(account=account, times=2)
    opened = map_task(open_account)(owner=["a", "b"])
    return describe_lp(account=more), describe(account=more), count(accounts=[more, opened[0]]), percent(rate=more.rate)


@workflow
def list_wf() -> int:
    return count(accounts=map_task(open_account)(owner=["a", "b"]))


@workflow
def rules_wf(text: str = "a b") -> str:
    return uses(rule=use(rule=use(rule=make_rule(text=text))))


@workflow
def launched_wf(account: Account, rule: Rule = Rule(words="c d")) -> tuple[str, str]:
    return describe(account=account), uses(rule=use(rule=rule))


if __name__ == "__main__":
    print(accounts_wf(), list_wf(), rules_wf())
