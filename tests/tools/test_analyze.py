"""tools/analyze.py lists groups for every kind of model."""

from __future__ import annotations

import json
import os

import pytest
import tensorflow.compat.v1 as tf

from tests import networks
from tests.studies.trained import BLOCK, GATE
from tests.tools import models

KINDS = {
    'net/Conv/conv': 'residual',
    BLOCK: 'inverted_residual',
    GATE: 'squeeze_excite',
    'Logits/dense': 'dense',
}
FIELDS = {
    'inputs',
    'outputs',
    'parameters',
    'macs',
    'groups',
    'nodes',
    'unsupported_ops',
    'lost_layers',
    'flags',
    'channels',
    'prunable_channels',
}


@pytest.fixture(scope='module')
def prefix(tmp_path_factory):
    return models.checkpoint(str(tmp_path_factory.mktemp('model')))


def analyzed(path, tmp_path, *flags, problem=''):
    """What is printed and written; nothing may be cut if there is a problem."""
    target = str(tmp_path / 'groups.json')
    done = models.run_tool('analyze.py', f'--model={path}', f'--json={target}', *flags)
    assert done.returncode == bool(problem)
    assert done.stderr.startswith(problem)
    assert bool(done.stderr) == bool(problem)
    with open(target, encoding='utf-8') as file:
        return done.stdout, json.load(file)


def test_the_groups_of_a_checkpoint(prefix, tmp_path):
    stdout, found = analyzed(prefix, tmp_path)

    assert set(found) == FIELDS
    assert {g['name']: g['kind'] for g in found['groups']} == KINDS
    assert (found['channels'], found['prunable_channels']) == (41, 36)
    block = next(g for g in found['groups'] if g['name'] == BLOCK)
    assert (block['channels'], block['reasons']) == (24, [])
    # Expansion, depthwise and projection kernels; three vectors of two batch norms
    # and their variances.
    assert block['parameters'] == 24 * (8 + 9 + 8 + 2 * 4)
    assert '36 of 41 channels may be cut (87.8 %)' in stdout
    assert 'Batch norm: 8 statistics of the batch became moving ones' in stdout
    assert 'See --batch_norm.' in stdout
    assert 'is a model output' in stdout


def test_without_sparsity_no_weight_is_read(prefix, tmp_path):
    whole, expected = analyzed(prefix, tmp_path)

    stdout, found = analyzed(prefix, tmp_path, '--nosparsity')

    assert 'sparsity' in whole
    assert 'sparsity' not in stdout.lower()
    for group in expected['groups']:
        assert group['sparsity'] > 0
        group['sparsity'] = None
    assert found == expected


def test_a_saved_model_and_a_frozen_graph_have_the_same_groups(prefix, tmp_path):
    _, expected = analyzed(prefix, tmp_path)
    saved = models.saved_model(str(tmp_path), prefix)
    frozen = models.frozen(str(tmp_path), prefix)

    for path in (saved, frozen):
        _, found = analyzed(path, tmp_path)
        assert [g['name'].replace('/kernel', '') for g in found['groups']] == [
            g['name'] for g in expected['groups']
        ]
        for key in ('kind', 'channels', 'places', 'macs', 'sparsity'):
            assert [g[key] for g in found['groups']] == pytest.approx(
                [g[key] for g in expected['groups']]
            )


def test_the_nodes_add_up_to_the_model(prefix, tmp_path):
    stdout, found = analyzed(prefix, tmp_path, '--nodes')

    for quantity in ('macs', 'parameters'):
        assert sum(node[quantity] for node in found['nodes']) == found[quantity]
    depthwise = next(n for n in found['nodes'] if n['op'] == 'DepthwiseConv2dNative')
    assert (depthwise['macs'], depthwise['parameters']) == (8 * 8 * 9 * 24, 9 * 24)
    (row,) = (line for line in stdout.splitlines() if depthwise['node'] + ' ' in line)
    assert row.split()[1:] == ['DepthwiseConv2dNative', '216', '13,824']


def test_scopes_choose_what_is_listed(prefix, tmp_path):
    _, found = analyzed(prefix, tmp_path, f'--scope_names={GATE}')

    assert [g['name'] for g in found['groups']] == [GATE]


def test_ops_without_a_rule_are_listed(tmp_path):
    prefix = networks.save(strange_graph(), str(tmp_path / 'model.ckpt'))

    problem = "Error: In the network nothing may be cut: 'first' reaches 'running': no"
    stdout, found = analyzed(prefix, tmp_path, problem=problem)

    assert found['unsupported_ops'] == ['Cumprod', 'Betainc']
    assert 'Ops without a rule: Cumprod, Betainc.' in stdout
    assert "reaches 'running': no rule for Cumprod" in stdout


def test_layers_with_kernels_of_the_input_are_listed(tmp_path):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        kernel = tf.get_variable('w', [3, 3, 3, 4]) * tf.reduce_mean(x)
        x = tf.nn.conv2d(x, kernel, 1, 'SAME', name='computed')
        tf.identity(networks.conv(x, 2, name='last'), name='output')
    prefix = networks.save(graph, str(tmp_path / 'model.ckpt'))

    problem = "Error: In the network nothing may be cut: layer 'computed' cannot be"
    stdout, found = analyzed(prefix, tmp_path, problem=problem)

    assert list(found['lost_layers']) == ['computed']
    line = "Not followed through layer 'computed': input 1 that depends on the input"
    assert line in stdout


def strange_graph():
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], 'input')
        x = tf.cumprod(networks.conv(x, 6, name='first'), 1, name='running')
        x = tf.math.betainc(tf.sigmoid(x), tf.sigmoid(x), tf.sigmoid(x))
        tf.identity(networks.conv(tf.cumprod(x, 2), 4, name='last'), name='output')
    return graph


@pytest.mark.parametrize(
    ('flags', 'message'),
    [
        (('--model=none/model.ckpt',), "No checkpoint at 'none/model.ckpt'"),
        (('--model=none.pb',), "'none.pb' cannot be read"),
        (('--checkpoint=x',), "flag 'checkpoint'. Did you mean --model?"),
        ((f'--model={__file__}',), "analyze.py' is not a checkpoint. Expected"),
        (('--model={folder}',), "no SavedModel, since there is no 'saved_model.pb'"),
        (('--model={folder}/..',), 'There is no checkpoint in'),
        (('--model={prefix}.index',), "Give the prefix of all its files: '{prefix}'"),
        (('--model={prefix}.meta',), 'is one file of a checkpoint'),
        (('--model={prefix}.data-00000-of-00001',), 'is one file of a checkpoint'),
        (('--model={prefix}', '--signature=foo'), "no signature 'foo'"),
        (('--model={prefix}', '--tags=foo'), "no tags 'foo'"),
        (('--model={prefix}', '--scope_names=SE'), "No group lies in the scopes 'SE'"),
        (('--model={prefix}', '--json={prefix}.index'), 'replace its own source'),
        ((), '--model is missing'),
        (('--model={prefix}', '--output_nodes=outptu'), "Nearest names: 'output'"),
        (('--model={prefix}', '--scope_names=a', '--tag=x'), 'Unknown command line'),
    ],
)
def test_a_mistake_is_one_line(flags, message, prefix, tmp_path):
    known = {'prefix': prefix, 'trained': os.path.dirname(prefix), 'folder': tmp_path}
    flags = [flag.format(**known) for flag in flags]
    done = models.run_tool('analyze.py', f'--json={tmp_path / "out.json"}', *flags)

    assert (done.returncode, done.stdout) == (1, '')
    assert message.format(**known) in done.stderr
    assert done.stderr.count('\n') == 1
    assert not (tmp_path / 'out.json').exists()
