"""Checkpoint files: read lazily, written whole, with their optimizer slots.

Knows nothing of graphs.
"""
