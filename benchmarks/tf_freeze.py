"""TensorFlow's own way to freeze a checkpoint, with nothing of this library.

python benchmarks/tf_freeze.py model.ckpt frozen.pb
"""

from __future__ import annotations

import sys

import tensorflow.compat.v1 as tf

OUTPUTS = ('output',)


def tf_freeze(checkpoint: str, path: str) -> None:
    """Imports, restores, converts, and writes the frozen graph."""
    level = tf.logging.get_verbosity()
    tf.logging.set_verbosity(tf.logging.ERROR)
    with tf.Graph().as_default() as graph, tf.Session() as session:
        saver = tf.train.import_meta_graph(checkpoint + '.meta')
        saver.restore(session, checkpoint)
        frozen = tf.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), list(OUTPUTS)
        )
    with open(path, 'wb') as file:
        file.write(frozen.SerializeToString())
    tf.logging.set_verbosity(level)


if __name__ == '__main__':
    tf_freeze(*sys.argv[1:])
