"""Criteria: arrays -> one score per filter. A high score means redundant."""
