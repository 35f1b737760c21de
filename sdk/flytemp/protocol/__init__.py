"""The wire protocol between clients, Temporal workflows and activities.

This package is the only home of the names that appear in a Temporal history, and of the types of the data behind them:

* `flytemp.protocol.message`: the base class of typed data, and the declarations that tie a name to its types;
* `flytemp.protocol.activities`: activities, their arguments and their results;
* `flytemp.protocol.io_requests`: the activities that read and write values on behalf of the engine;
* `flytemp.protocol.workflow`: workflow types, their arguments, updates, signals and memo keys;
* `flytemp.protocol.search_attributes`: search attributes.

Processes of different versions exchange this data. A reader ignores unknown fields, and a writer omits fields that have their
default. So a new field needs a default, and a default never changes.
"""
