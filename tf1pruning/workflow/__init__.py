"""The steps between files and values that `Pruning` and the tools are made of."""
