"""Frozen graphs: made, folded, and put into a form that a CPU runs."""
