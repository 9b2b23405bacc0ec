"""Soft pruning, stripping, failure rate and verification: functions of one plan."""
