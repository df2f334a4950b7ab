"""From a graph to the same graph with other weights."""

from ._classifier import train_classifier as train_classifier
