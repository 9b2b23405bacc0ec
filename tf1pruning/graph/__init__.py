"""TensorFlow graphs as protos: read, indexed, cut down, rewritten, frozen.

Knows nothing of pruning and opens no session.
"""
