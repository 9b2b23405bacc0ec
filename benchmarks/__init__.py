"""Benchmarks: medians of several runs, written as JSON and printed as a table."""
