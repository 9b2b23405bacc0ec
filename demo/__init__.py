"""Networks and data sets of the demo, the tests and the benchmarks, and the demo."""
