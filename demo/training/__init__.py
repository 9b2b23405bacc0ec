"""Trains for `train_pruning_class.py`: alone, on several devices, or in a cluster."""
