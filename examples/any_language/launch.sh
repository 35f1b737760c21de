#!/usr/bin/env bash
# Launch with the `temporal` command alone: no flytemp, no Python.
set -euo pipefail

temporal workflow start --type FlytempWorkflow --task-queue flytemp --workflow-id ex:examples:development:line-1 \
  --input '{"launch_plan": "fit_line", "inputs": {"x": [0, 1, 2], "y": [1, 3, 5]}}'
temporal workflow result --workflow-id ex:examples:development:line-1
