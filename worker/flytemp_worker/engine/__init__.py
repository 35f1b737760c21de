"""The engine: a pure state machine that runs a plan. ``Engine.step(event, at)`` returns commands.

There is no I/O, no clock, no asyncio and no Temporal in it, and it does not depend on the kinds of nodes: their handlers are
injected (see `flytemp_worker.node_kinds`). Read in this order: `messages` (events and commands), `phases`, `plan`, `nodes`,
`values`, `handlers`, `machine`, `events`.
"""
