"""A package whose modules import each other relatively."""
from .workflows import train_wf

__all__ = ["train_wf"]
