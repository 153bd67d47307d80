"""Fit a classifier from a recipe and a split, resumably; leave a checkpoint with its card. Needs PyTorch."""

from pneumoscope.training.errors import TrainingError
from pneumoscope.training.recipe import RECIPES, Recipe

__all__ = ["RECIPES", "Recipe", "TrainingError"]
