"""What pruning took is brought back from samples without labels."""
