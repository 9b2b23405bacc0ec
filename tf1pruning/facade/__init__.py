"""Class `Pruning`: the steps in the order of a training, with their files."""
