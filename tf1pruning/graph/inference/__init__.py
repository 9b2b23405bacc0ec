"""Training graph -> inference graph, and -> the graph of a further training."""
