"""The demo, and the networks and data sets of demo, tests and benchmarks."""
