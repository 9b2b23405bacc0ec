"""Scoring: what the channels of a model do while it works on data."""
