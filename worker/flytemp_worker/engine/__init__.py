"""The engine: a pure state machine that runs a plan. ``Engine.step(event, at)`` returns commands.

There is no I/O, no clock, no asyncio and no Temporal in it, and it does not depend on the kinds of nodes: their handlers are
injected (see `flytemp_worker.node_kinds`). Read in this order: `messages` (events and commands), `phases`, `plan`, `nodes`,
`values`, `handlers`, `machine`, `events`.
"""

from flytemp_worker.engine.machine import Engine as Engine
from flytemp_worker.engine.messages import *  # noqa: F403
from flytemp_worker.engine.phases import IllegalMove as IllegalMove
from flytemp_worker.engine.phases import NodePhase as NodePhase
from flytemp_worker.engine.plan import Plan as Plan
