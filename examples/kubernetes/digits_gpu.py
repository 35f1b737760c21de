"""Digits pipeline on Kubernetes with the unchanged tasks and sub-workflow of examples/digits.

All that is said here is on what machine one of them runs.
"""

from __future__ import annotations

from pipeline import (  # type: ignore[import-not-found]  # beside this file, once the demo has copied it there
    Digits,
    evaluate,
    load,
    pick_best,
    report,
    split,
    train_candidates,
    validate,
)

from flytemp import Resources, workflow


@workflow
def digits_gpu(test_share: float = 0.25, seed: int = 0) -> Digits:
    """Run the pipeline of examples/digits, and evaluate the best model on a machine with a GPU.

    Args:
        test_share: the share of the data that is set aside for the test, and again for choosing the model.
        seed: for the splits and the models; the same seed gives the same result.
    """
    data = load()
    summary = validate(data=data)
    parts = split(data=data, summary=summary, test_share=test_share, seed=seed)
    models = train_candidates(data=parts.train, validation=parts.validation, seed=seed)
    best = pick_best(models=models)
    metrics = evaluate(best=best, test=parts.test).with_overrides(
        resources=Resources(cpu="500m", mem="500Mi", gpu="1"),
    )
    picture = report(metrics=metrics, classes=summary.classes)
    return Digits(data=summary, metrics=metrics, best_model=best.model, confusion_picture=picture)
