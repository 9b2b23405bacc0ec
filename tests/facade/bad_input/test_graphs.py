from __future__ import annotations

import os

import pytest
import tensorflow.compat.v1 as tf

from tests.facade.bad_input.damage import META, truncate, write
from tf1pruning import GraphError


def test_a_missing_meta_graph(refused, new, checkpoint):
    os.remove(checkpoint + META)

    refused(GraphError, r'No meta graph at .*ckpt-100\.meta', new().pruning_process)


@pytest.mark.parametrize('keep', [0, 1, 10, 0.3, 0.5, 0.9])
def test_a_truncated_meta_graph(refused, new, checkpoint, keep):
    truncate(checkpoint + META, keep)

    refused(
        GraphError,
        r'ckpt-100\.meta.*(truncated or damaged|holds no nodes)',
        new().pruning_process,
    )


@pytest.mark.parametrize('data', [b'garbage', b'{"json": 1}', b'\xff' * 1000])
def test_a_meta_graph_that_is_none(refused, new, checkpoint, data):
    write(checkpoint + META, data)

    refused(GraphError, r'ckpt-100\.meta.*not a meta graph', new().pruning_process)


@pytest.mark.parametrize('given', ['missing', 'garbage'])
def test_a_bad_inference_meta_graph(refused, new, tmp_path, given):
    path = str(tmp_path / 'inference.meta')
    if given == 'garbage':
        write(path, b'garbage')
    pruning = new(rebuild_meta_graph=path)

    refused(GraphError, r'inference\.meta', pruning.pruning_process)


@pytest.mark.parametrize('step', ['get_pruning_params', 'pruning_process'])
def test_a_wrong_output_node(refused, new, step):
    pruning = new(output_nodes='outptu')

    refused(
        GraphError,
        r"Output node 'outptu' is not in the graph\. Nearest names: .*'output'",
        getattr(pruning, step),
    )


def test_an_output_that_depends_on_no_input(refused, new):
    pruning = new(output_nodes='net/Conv/conv/kernel/read')

    refused(GraphError, 'depends on no input', pruning.pruning_process)


def test_a_wrong_input_in_the_map(refused, new):
    pruning = new(input_tensors_map={'imagse:0': 'images'})
    pruning.retrained_ckpt_path = pruning.input_ckpt_path

    refused(GraphError, "No node 'imagse' in the graph", pruning.get_rebuild_graph)


@pytest.mark.parametrize(
    ('scopes', 'message'),
    [
        (['SE2'], "Scope 'SE2' matches nothing.*Nearest names: 'SE1'"),
        (['SE'], "Scope 'SE' matches nothing"),
        (['SE1', 'expanded_conv'], "Scope 'expanded_conv' matches nothing"),
        (['Logits'], "Scope 'Logits' holds no inverted-residual.*kind 'dense'"),
        ([], 'No scopes are given'),
    ],
)
@pytest.mark.parametrize('step', ['get_pruning_params', 'pruning_process'])
def test_a_scope_that_matches_nothing(refused, new, scopes, message, step):
    pruning = new(scope_names=scopes)

    refused(GraphError, message, getattr(pruning, step))


def test_an_error_leaves_the_default_graph_alone(new):
    with tf.Graph().as_default() as graph:
        new().pruning_process()
        with pytest.raises(GraphError):
            new(output_nodes='outptu').pruning_process()

    assert list(graph.as_graph_def().node) == []
