"""flytekit's module of `workflow`."""

from typing import TYPE_CHECKING

from flytemp.authoring.imperative import ImperativeWorkflow as ImperativeWorkflow
from flytemp.authoring.reference import ReferenceWorkflow as ReferenceWorkflow
from flytemp.authoring.reference import reference_workflow as reference_workflow
from flytemp.authoring.workflow import PythonFunctionWorkflow as PythonFunctionWorkflow
from flytemp.authoring.workflow import WorkflowBase as WorkflowBase
from flytemp.authoring.workflow import WorkflowFailurePolicy as WorkflowFailurePolicy
from flytemp.authoring.workflow import workflow as workflow
from flytemp.porting.finder import other_names

if not TYPE_CHECKING:
    __getattr__ = other_names(__name__)
