"""Local runs (``flytemp run --local``): the same engine and task runtime in this process, without a server.

Tasks run one after another in the main thread, so breakpoints work. Retries, back-off, conversions, results and records are
those of a run on Temporal. Launch plans run as executions of their own, one inside the other. Gates are answered at the
terminal; sleeps are printed and skipped. Time-outs are not enforced, because nothing can stop the code from outside.
"""

from flytemp_worker.local.run import run_local

__all__ = ["run_local"]
