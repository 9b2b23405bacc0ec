"""Data sets of images by name.

    from demo.datasets import pipelines, registry

    mnist = registry.load('mnist', 'path/of/the/files')
    estimator.train(pipelines.train_input_fn(mnist, batch_size=128, seed=0))

A loader checks its files when it is called: what is missing, truncated or of another
kind is a `DataError` then, not in the middle of a training. Images are read from the
files batch by batch; none are in the graph.
"""
