"""What pruning would cost: curves that are measured, not kept."""
