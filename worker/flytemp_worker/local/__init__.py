"""`flytemp run --local`: the same engine and the same task runtime, in this one process, without a server.

Tasks run one after another in the main thread, so a breakpoint works. Retries, back-off, conversions, results and
records are those of a run on Temporal. Launch plans run as executions of their own, one inside the other; gates ask on the
terminal; a sleep only says so. Time-outs are not enforced, for nothing could stop the code from outside.
"""

from flytemp_worker.local.run import run_local

__all__ = ["run_local"]
