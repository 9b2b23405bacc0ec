"""Structured pruning of TensorFlow 1.15 networks."""

__version__ = '0.1.0'
