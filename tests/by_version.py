"""What tests expect of the TensorFlow that is installed, where versions differ."""

from __future__ import annotations

import pytest

from tf1pruning import versions

# Op of `tf.add`.
ADD = 'AddV2' if versions.IS_2 else 'Add'
# Layers of recurrent networks have their weights in a cell of its own.
LSTM_KERNEL = 'lstm/lstm_cell/kernel' if versions.IS_2 else 'lstm/kernel'

needs_estimator = pytest.mark.skipif(
    not versions.has_estimator(), reason='tf.estimator ended with TensorFlow 2.15'
)
# Ops that TensorFlow 2 has, and whose functions make others.
NOT_MADE = {'AccumulateNV2', 'TensorArraySizeV3'} if versions.IS_2 else set()
# What is said of bytes that are no image.
NO_IMAGE = (
    'Unknown image file format. One of JPEG, PNG, GIF, BMP required'
    if versions.IS_2
    else 'Expected image (JPEG, PNG, or GIF), got unknown format starting with '
    "'no image'"
)
