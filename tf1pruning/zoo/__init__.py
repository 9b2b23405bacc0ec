"""Models and data sets of the examples, the tests and the benchmarks.

The library itself never imports this package.
"""
