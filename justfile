# Recipes for working on flytemp. Each one prepares what it needs: the virtualenv `.venv` beside this file is made when
# it is missing and filled when pyproject.toml has changed. `python3` (3.11 or newer, with venv) is all that must be there.

set shell := ["bash", "-euo", "pipefail", "-c"]
set positional-arguments

# Relative, so that no path of the checkout (it may hold a space) is ever pasted into a command line.
python := ".venv/bin/python"

export PIP_DISABLE_PIP_VERSION_CHECK := "1"

[private]
default:
    @"{{ just_executable() }}" --list --unsorted

# The digits pipeline from nothing: Temporal server, store, worker, register, launch, results
demo *args: _setup
    @{{ python }} examples/digits/demo.py "$@"

# The same pipeline on a Kubernetes of its own, every node a pod, one of them with a GPU; root on Linux
demo-kubernetes *args: _setup
    @{{ python }} -m examples.kubernetes.demo "$@"

# Temporal, its UI, a worker and a store on this machine, until Ctrl-C
dev *args: _setup
    @{{ python }} -m flytemp_cli dev "$@"

# Everything: lint, types and all tests, but for those marked long; four processes, as most tests wait for servers and pods
test *args: _setup checks
    {{ python }} -m tests.other_pythons
    {{ python }} -m pytest -n 4 --maxschedchunk 4 "$@"

# The long tests: full products, chaos and large sizes, of which `just test` runs shorter forms (an hour)
test-long *args: _setup
    {{ python }} -m pytest --long "$@"

# The tests that need no server; they finish in seconds
test-unit *args: _setup
    {{ python }} -m pytest -m "not e2e and not durability and not kubernetes" "$@"

# The tests against a real Temporal server, which they start themselves
test-e2e *args: _setup
    {{ python }} -m pytest -m "e2e or durability" "$@"

# Style, common mistakes, and the layers of the packages
lint: _setup
    {{ python }} -m ruff check .
    {{ python }} -c "from importlinter.cli import lint_imports_command; lint_imports_command()"

# Lint and types, at the same time
[parallel]
checks: lint types-product types-calls

# mypy and basedpyright for everything
types: types-product types-calls

# mypy for the product
[private]
types-product: _setup
    {{ python }} -m mypy

# mypy for the examples, and the calls in tests/typing, as a user's own code; those calls with basedpyright, too
[private]
types-calls: _setup
    {{ python }} -m mypy --cache-dir .mypy_cache/calls examples tests/typing
    {{ python }} -m basedpyright --pythonpath {{ python }}

# Cost per node against a hand-written workflow, as ratios of one run; writes bench-results.json
bench *args: _setup
    {{ python }} bench/run.py "$@"

# What the Kubernetes backend costs, beside a bare loop on the test cluster; writes bench-k8s-results.json
bench-k8s *args: _setup
    PYTHONPATH=. {{ python }} bench/kubernetes_pods.py "$@"

# Executions of full size to their end, and cancelled in the middle; writes scale-results.json (half an hour)
scale *args: _setup
    @{{ python }} bench/scale.py "$@"

# Executions on the test cluster while workers, pods, kubelet, API server and connections die at random (200 of 10 nodes)
chaos *args: _setup
    @{{ python }} -m bench.chaos "$@"

# The Kubernetes test cluster of this machine: build (minutes, once), up (seconds), status, down; root on Linux
cluster command *args: _setup
    @{{ python }} -m infra.testcluster "$@"

# Write the generated parts of docs/reference/ anew, from docstrings and commands
docs *args: _setup
    {{ python }} docs/generate.py "$@"

# What continuous integration runs: as `test`, and a component that is missing is a failure
ci *args:
    @CI=true "{{ just_executable() }}" test "$@"

# The stamp holds what the installation was made from: these dependencies, at this place.
[private]
[script("bash", "-euo", "pipefail")]
_setup:
    if [ ! -x .venv/bin/python ]; then
        python3 -m venv .venv
    fi
    stamp=.venv/.flytemp-setup
    wanted="$(cksum < pyproject.toml) $PWD"
    if [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
        echo "installing flytemp and its development tools into .venv" >&2
        .venv/bin/python -m pip install -q -e '.[dev]'
        echo "$wanted" > "$stamp"
    fi
