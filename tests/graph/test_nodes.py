from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.errors import GraphError
from tf1pruning.graph import nodes


def test_a_constant_has_its_value():
    node = nodes.constant('sizes', [2, 3], tf.int32)

    assert nodes.constant_value(node).tolist() == [2, 3]


def test_a_damaged_constant_is_named():
    node = nodes.constant('sizes', [2, 3], tf.int32)
    node.attr['value'].tensor.tensor_content = b'xxx'

    with pytest.raises(GraphError, match="constant 'sizes' is damaged"):
        nodes.constant_value(node)
