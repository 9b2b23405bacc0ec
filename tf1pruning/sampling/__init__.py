"""Samples without labels: read from anywhere, fitted to inputs, looked at."""
