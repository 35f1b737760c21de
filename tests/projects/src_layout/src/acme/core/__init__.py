from acme.core.tasks import clean, score

__all__ = ["clean", "score"]
