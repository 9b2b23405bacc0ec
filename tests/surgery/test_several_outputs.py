import tensorflow.compat.v1 as tf

from tests import networks
from tf1pruning.channels import groups as groups_lib
from tf1pruning.channels import trace as trace_lib


def test_every_tensor_of_an_output_node_is_frozen():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        inner = networks.conv(x, 8, name='inner')
        y = networks.conv(inner, 4, name='last')
        tf.identity_n([y, inner], name='output')
    model = networks.model_of(graph)
    groups = groups_lib.find_groups(trace_lib.trace(model))
    assert {group.name: group.reasons for group in groups} == {
        'inner': ('is a model output',),
        'last': ('is a model output',),
    }
