"""The steps of pruning, between files and values: score, plan, soft-prune, strip."""
