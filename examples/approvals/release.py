"""A model is trained and released if its accuracy is sufficient or a user approves it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from flytemp import approve, conditional, task, wait_for_input, workflow
from flytemp.types.file import FlyteFile

ModelFile = FlyteFile[Literal["joblib"]]


@dataclass
class Model:
    """Classifier of irises with its accuracy on test data."""

    file: ModelFile
    accuracy: float


@task
def train(strength: float) -> Model:
    """Fit a logistic regression; a small ``strength`` gives a simple model."""
    flowers, kinds = load_iris(return_X_y=True)
    known, others, known_kinds, other_kinds = train_test_split(flowers, kinds, random_state=0, stratify=kinds)
    classifier = LogisticRegression(C=strength, max_iter=1_000).fit(known, known_kinds)
    file = ModelFile.new("irises.joblib")
    with file.open("wb") as target:
        joblib.dump(classifier, target)
    return Model(file, float(classifier.score(others, other_kinds)))


@task
def accept(model: Model) -> Model:
    """Accept the model without an approval."""
    return model


@task
def publish(model: Model, version: str, note: str) -> str:
    """Publish the model; a real task would add it to a model registry."""
    return f"irises {version}, {model.accuracy:.0%} right: {note}"


@workflow
def release(strength: float = 1.0, wanted: float = 0.9) -> str:
    """Train a model, check its accuracy, and publish it under a version that a user gives."""
    model = train(strength=strength)
    checked: Model = (
        conditional("good enough")
        .if_(model.accuracy >= wanted)
        .then(accept(model=model))
        .else_()
        .then(approve(model, "weak-model", timeout=timedelta(days=2)))
    )
    version = wait_for_input("version", timeout=timedelta(days=7), expected_type=str)
    note = wait_for_input("release-note", timeout=timedelta(days=7), expected_type=str)
    return publish(model=checked, version=version, note=note)
