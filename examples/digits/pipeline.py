"""A small but complete training pipeline on scikit-learn's bundled images of handwritten digits.

load → validate → split → train several models in parallel → pick the best → evaluate → report

The data set, the models and the picture travel as files; everything else as typed values.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal, NamedTuple

import joblib
import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from flytemp import task, workflow
from flytemp.types.file import FlyteFile

ArraysFile = FlyteFile[Literal["npz"]]
ModelFile = FlyteFile[Literal["joblib"]]
PictureFile = FlyteFile[Literal["png"]]


class ModelKind(Enum):
    """Family of classifiers."""

    LOGISTIC_REGRESSION = "logistic regression"
    SUPPORT_VECTORS = "support vectors"
    RANDOM_FOREST = "random forest"
    NEIGHBOURS = "nearest neighbours"


@dataclass(frozen=True)
class Candidate:
    """Candidate: a family of models and its most important parameter."""

    kind: ModelKind
    parameter: float

    @property
    def title(self) -> str:
        return f"{self.kind.value} ({self.parameter:g})"


@dataclass(frozen=True)
class DataSummary:
    """Result of `validate`."""

    samples: int
    features: int
    classes: list[int]
    smallest_class: int


class Split(NamedTuple):
    """Disjoint parts of the data set with equal proportions of the classes."""

    train: ArraysFile
    validation: ArraysFile
    test: ArraysFile


@dataclass
class TrainedModel:
    """Model and its accuracy on the validation data."""

    candidate: Candidate
    validation_accuracy: float
    model: ModelFile


@dataclass(frozen=True)
class Metrics:
    """Metrics of the selected model on the test data."""

    model: str
    accuracy: float
    macro_f1: float
    test_samples: int
    confusion: list[list[int]]
    """``confusion[i][j]``: number of images of digit i that were classified as j."""


class Digits(NamedTuple):
    """Results of the pipeline."""

    data: DataSummary
    metrics: Metrics
    best_model: ModelFile
    confusion_picture: PictureFile


def _save(path: ArraysFile, images: np.ndarray, labels: np.ndarray) -> ArraysFile:
    with path.open("wb") as file:
        np.savez_compressed(file, images=images, labels=labels)
    return path


def _read(path: ArraysFile) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path.download()) as arrays:
        return arrays["images"], arrays["labels"]


@task
def load() -> ArraysFile:
    """Load the 1,797 images of 8 × 8 pixels that are part of scikit-learn."""
    digits = load_digits()
    print(f"loaded {len(digits.target)} images")
    return _save(ArraysFile.new("digits.npz"), digits.data, digits.target)


@task
def validate(data: ArraysFile) -> DataSummary:
    """Raise an error for data that is unsuitable for training."""
    images, labels = _read(data)
    if images.ndim != 2 or len(images) != len(labels):
        raise ValueError(f"images and labels do not match: {images.shape} and {labels.shape}")
    if not np.isfinite(images).all() or images.min() < 0 or images.max() > 16:
        raise ValueError("a pixel is outside 0 to 16")
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) != 10:
        raise ValueError(f"expected 10 digits, found {classes.tolist()}")
    print(f"{len(labels)} images of {len(classes)} digits, {counts.min()} to {counts.max()} of each")
    return DataSummary(
        samples=len(labels),
        features=images.shape[1],
        classes=[int(value) for value in classes],
        smallest_class=int(counts.min()),
    )


@task
def split(data: ArraysFile, summary: DataSummary, test_share: float, seed: int) -> Split:
    """Split off the test data, and the same share of the rest as validation data."""
    if summary.smallest_class * test_share < 2:
        raise ValueError(f"test_share={test_share} leaves fewer than 2 images of a digit to test with")
    images, labels = _read(data)
    rest, test, rest_labels, test_labels = train_test_split(
        images, labels, test_size=test_share, random_state=seed, stratify=labels
    )
    train, validation, train_labels, validation_labels = train_test_split(
        rest, rest_labels, test_size=test_share, random_state=seed, stratify=rest_labels
    )
    print(f"{len(train)} to train, {len(validation)} to choose, {len(test)} to test")
    return Split(
        train=_save(ArraysFile.new("train.npz"), train, train_labels),
        validation=_save(ArraysFile.new("validation.npz"), validation, validation_labels),
        test=_save(ArraysFile.new("test.npz"), test, test_labels),
    )


def _classifier(candidate: Candidate, seed: int) -> ClassifierMixin:
    match candidate.kind:
        case ModelKind.LOGISTIC_REGRESSION:
            return make_pipeline(StandardScaler(), LogisticRegression(C=candidate.parameter, max_iter=2_000))
        case ModelKind.SUPPORT_VECTORS:
            return make_pipeline(StandardScaler(), SVC(C=candidate.parameter, random_state=seed))
        case ModelKind.RANDOM_FOREST:
            return RandomForestClassifier(n_estimators=int(candidate.parameter), random_state=seed)
        case ModelKind.NEIGHBOURS:
            return KNeighborsClassifier(n_neighbors=int(candidate.parameter))


@task(retries=1, timeout=600)
def train(candidate: Candidate, data: ArraysFile, validation: ArraysFile, seed: int) -> TrainedModel:
    """Fit one candidate."""
    images, labels = _read(data)
    model = _classifier(candidate, seed)
    model.fit(images, labels)
    others, expected = _read(validation)
    accuracy = float(accuracy_score(expected, model.predict(others)))
    print(f"{candidate.title}: {accuracy:.4f}")
    file = ModelFile.new(f"{candidate.kind.name.lower()}-{candidate.parameter:g}.joblib")
    with file.open("wb") as target:
        joblib.dump(model, target)
    return TrainedModel(candidate=candidate, validation_accuracy=accuracy, model=file)


@workflow
def train_candidates(data: ArraysFile, validation: ArraysFile, seed: int) -> list[TrainedModel]:
    """Train all candidates in parallel."""
    candidates = [
        Candidate(ModelKind.LOGISTIC_REGRESSION, 0.1),
        Candidate(ModelKind.LOGISTIC_REGRESSION, 1.0),
        Candidate(ModelKind.SUPPORT_VECTORS, 1.0),
        Candidate(ModelKind.SUPPORT_VECTORS, 10.0),
        Candidate(ModelKind.RANDOM_FOREST, 50.0),
        Candidate(ModelKind.RANDOM_FOREST, 200.0),
        Candidate(ModelKind.NEIGHBOURS, 3.0),
    ]
    return [train(candidate=candidate, data=data, validation=validation, seed=seed) for candidate in candidates]


@task
def pick_best(models: list[TrainedModel]) -> TrainedModel:
    """Return the model with the best validation accuracy."""
    for model in sorted(models, key=lambda model: -model.validation_accuracy):
        print(f"{model.validation_accuracy:.4f}  {model.candidate.title}")
    return max(models, key=lambda model: model.validation_accuracy)


@task
def evaluate(best: TrainedModel, test: ArraysFile) -> Metrics:
    """Evaluate the selected model on the test data."""
    images, expected = _read(test)
    predicted = joblib.load(best.model.download()).predict(images)
    return Metrics(
        model=best.candidate.title,
        accuracy=float(accuracy_score(expected, predicted)),
        macro_f1=float(f1_score(expected, predicted, average="macro")),
        test_samples=len(expected),
        confusion=[[int(count) for count in row] for row in confusion_matrix(expected, predicted)],
    )


@task
def report(metrics: Metrics, classes: list[int]) -> PictureFile:
    """Draw the confusion matrix."""
    # A Figure without pyplot needs no display and no global state. Imported here, because no other task draws.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 5.5), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(np.sqrt(metrics.confusion), cmap="Blues")
    axes.set_xticks(range(len(classes)), labels=[str(digit) for digit in classes])
    axes.set_yticks(range(len(classes)), labels=[str(digit) for digit in classes])
    axes.set_xlabel("taken for")
    axes.set_ylabel("is")
    axes.set_title(f"{metrics.model}: {metrics.accuracy:.1%} of {metrics.test_samples} right")
    for row, counts in enumerate(metrics.confusion):
        for column, count in enumerate(counts):
            if count:
                axes.text(column, row, str(count), ha="center", va="center", color="white" if row == column else "black")
    picture = PictureFile.new("confusion_matrix.png")
    with picture.open("wb") as file:
        figure.savefig(file, format="png", dpi=120)
    return picture


@workflow
def digits(test_share: float = 0.25, seed: int = 0) -> Digits:
    """Train several classifiers of handwritten digits and evaluate the best one.

    Args:
        test_share: the share of the data that is set aside for the test, and again for choosing the model.
        seed: for the splits and the models; the same seed gives the same result.
    """
    data = load()
    summary = validate(data=data)
    parts = split(data=data, summary=summary, test_share=test_share, seed=seed)
    models = train_candidates(data=parts.train, validation=parts.validation, seed=seed)
    best = pick_best(models=models)
    metrics = evaluate(best=best, test=parts.test)
    picture = report(metrics=metrics, classes=summary.classes)
    return Digits(data=summary, metrics=metrics, best_model=best.model, confusion_picture=picture)
