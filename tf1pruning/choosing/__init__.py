"""Choosing: scores of groups -> which of their channels go."""
