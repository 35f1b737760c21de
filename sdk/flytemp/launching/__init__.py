"""Rules of a launch: find its target, check its inputs, combine its options, name its execution.

Everything here is free of Temporal and is used wherever an execution begins: by the client, by the activity
``flytemp.resolve``, by local runs and by the compiler.

A launch through the client applies `find_target` and `merge_inputs` twice. The client applies them to report mistakes before
anything is started. ``flytemp.resolve`` applies them again, because any Temporal SDK may start the workflow without this
client; only its result counts.
"""
