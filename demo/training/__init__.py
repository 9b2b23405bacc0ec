"""What `train_pruning_class.py` trains, and how: alone, on devices, in a cluster."""
