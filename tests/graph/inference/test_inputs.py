from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.errors import GraphError
from tf1pruning.graph.inference import derivation, inputs
from tf1pruning.graph.inference.inputs import Input
from tf1pruning.graph.view import GraphView
from tf1pruning.names import TensorRef


def meta_graph():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 4, 6], 'input')
        parts = tf.split(tf.nn.relu(x, name='relu'), 2, 2, name='parts')
        tf.concat([parts[1], parts[0]], 2, name='output')
    return tf.train.export_meta_graph(graph=graph)


def model(*texts):
    cut = inputs.cut(meta_graph(), inputs.parse_inputs(texts))
    return derivation.derive(cut, ['output'])


def shape(found, name):
    return found.view().shape(TensorRef(name, 0))


@pytest.mark.parametrize(
    ('texts', 'expected'),
    [
        (['a=1,2'], [Input(TensorRef('a', 0), (1, 2))]),
        (['a:1=?,2'], [Input(TensorRef('a', 1), (None, 2))]),
        (
            ['a = 1, 2 ; b='],
            [Input(TensorRef('a', 0), (1, 2)), Input(TensorRef('b', 0), ())],
        ),
        (['a', 'b'], [Input(TensorRef('a', 0), None), Input(TensorRef('b', 0), None)]),
        ([], []),
    ],
)
def test_tensors_and_shapes_are_parsed(texts, expected):
    assert inputs.parse_inputs(texts) == expected


@pytest.mark.parametrize('text', ['', 'a=x', 'a=1,,2', 'a=0', 'a=-2', '=1', 'a;a'])
def test_another_form_is_refused(text):
    with pytest.raises(GraphError, match='expected each tensor once'):
        inputs.parse_inputs([text])


def test_a_shape_is_fixed_and_what_follows_from_it():
    found = model('input=1,4,6')

    assert found.inputs == ('input',)
    assert shape(found, 'input') == (1, 4, 6)
    assert shape(found, 'output') == (1, 4, 6)


def test_a_placeholder_takes_the_place_of_a_tensor():
    found = model('relu=2,4,6')

    assert found.inputs == ('relu',)
    assert 'input' not in found.view()
    assert found.view().node('relu').op == 'Placeholder'
    assert shape(found, 'output') == (2, 4, 6)


def test_without_sizes_the_shape_stays():
    assert shape(model('relu'), 'relu') == (None, 4, 6)


def test_an_output_of_several_gets_a_name_of_its_own():
    found = model('parts:1=?,4,3')

    assert found.inputs == ('parts_1', 'input')
    assert shape(found, 'parts_1') == (None, 4, 3)
    assert found.view().node('parts').op == 'Split'


def signed(**fed):
    """The graph with a signature `parts` that feeds these tensors."""
    graph = meta_graph()
    for key, tensor in fed.items():
        graph.signature_def['parts'].inputs[key].name = tensor
    return graph


def test_signatures_feed_the_placeholders():
    graph = signed(first='parts:0', last='parts:1', image='input:0', sparse='')

    cut = inputs.cut(graph, inputs.parse_inputs(['parts:0;parts:1']))

    found = cut.signature_def['parts'].inputs
    assert {key: found[key].name for key in found} == {
        'first': 'parts_0:0',
        'last': 'parts_1:0',
        'image': 'input:0',
        'sparse': '',
    }


def test_what_a_signature_feeds_behind_the_placeholders_is_found():
    graph = signed(last='parts:1', image='input:0', sparse='', gone='gone:0')

    parts = [Input(TensorRef('parts', 1), None)]
    assert inputs.inside(graph, 'parts', others=False) == parts
    assert inputs.inside(graph, 'serving_default', others=False) == []
    # Only the end of a pipeline is cut for a signature that is not meant.
    assert inputs.inside(graph, 'serving_default', others=True) == []
    assert inputs.inside(graph, 'parts', others=True) == parts


def test_the_end_of_a_pipeline_is_offered_as_an_input():
    with tf.Graph().as_default() as graph:
        batch = tf.data.Dataset.from_tensors(tf.zeros([2, 3])).make_one_shot_iterator()
        tf.nn.relu(batch.get_next(), name='output')
    meta_graph = tf.train.export_meta_graph(graph=graph)

    with pytest.raises(GraphError, match="pipeline ends at 'IteratorGetNext'"):
        inputs.cut(meta_graph, inputs.parse_inputs(['input=2,3']))


def test_unknown_tensors_and_misfits_are_named_at_once():
    with pytest.raises(GraphError) as error:
        model('inptu=1', 'relu=1,5,6', 'relu:7', 'parts=1,4')

    text = str(error.value)
    assert "no tensor 'inptu:0' in the graph. Nearest names: 'input'" in text
    assert "'relu:0' has shape (None, 4, 6); (1, 5, 6) does not fit." in text
    assert "node 'relu' has no output 7." in text
    assert "'parts:0' has shape (None, 4, 3); (1, 4) does not fit." in text


def test_a_tensor_behind_the_outputs_is_named():
    given = inputs.parse_inputs(['relu'])

    assert inputs.check_used(('relu',), given) is None
    with pytest.raises(GraphError, match="do not depend on the input tensors 'relu:0'"):
        inputs.check_used(('input',), given)


def test_the_graph_is_not_changed():
    graph = meta_graph()
    before = graph.SerializeToString(deterministic=True)

    inputs.cut(graph, inputs.parse_inputs(['relu=2,4,6']))

    assert graph.SerializeToString(deterministic=True) == before
    assert GraphView(graph.graph_def).node('relu').op == 'Relu'
