"""tools/prune.py writes zeros; tools/strip.py removes them with the same answers."""

from __future__ import annotations

import json
import os
import re

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from tests import programs
from tests.studies import trained
from tests.studies.trained import BLOCK, GATE
from tests.tools import models
from tf1pruning import plan_json
from tf1pruning.ckpt.checkpoint import Checkpoint
from tf1pruning.graph.meta_graphs import saved_model
from tf1pruning.models.reading import LoadOptions, load


@pytest.fixture(scope='module')
def prefix(tmp_path_factory):
    return models.checkpoint(str(tmp_path_factory.mktemp('model')), optimizer='adam')


def pruned(prefix, folder, *flags, said=''):
    """The plan and what was printed; to stderr lines like `said`."""
    done = models.run_tool(
        'prune.py', f'--model={prefix}', f'--output_dir={folder}', *flags
    )
    assert done.returncode == 0, done.stderr
    assert [x for x in done.stderr.splitlines() if not re.match(said or '$', x)] == []
    return plan_json.load_plan(str(folder / 'plan.json')), done.stdout


def stripped(folder, *flags):
    prefix = folder / 'model.ckpt'
    done = models.run_tool(
        'strip.py', f'--model={prefix}', f'--output_dir={folder / "s"}', *flags
    )
    assert (done.returncode, done.stderr) == (0, '')
    return models.answers(str(folder / 's' / 'stripped.pb'))


@pytest.mark.parametrize('mode', ['block', 'filter'])
@pytest.mark.parametrize('criterion', ['l1', 'kmeans', 'bn_scale'])
def test_half_of_every_group_goes_with_the_same_answers(
    prefix, tmp_path, criterion, mode
):
    scopes = [] if criterion != 'bn_scale' else [f'--scope_names={BLOCK}']
    plan, _ = pruned(
        prefix,
        tmp_path,
        f'--criterion={criterion}',
        '--ratio=0.5',
        '--groups=all',
        '--channel_multiple=1',
        f'--mode={mode}',
        *scopes,
    )

    soft = models.answers(models.frozen(str(tmp_path), str(tmp_path / 'model.ckpt')))
    found = stripped(tmp_path, f'--plan={tmp_path / "plan.json"}')

    expected = {BLOCK: 12}
    if criterion != 'bn_scale':
        expected.update({'net/Conv/conv': 4, GATE: 2})
    assert plan.widths() == expected
    assert np.abs(found - soft).max() <= 1e-5 * np.abs(soft).max()
    unpruned = models.answers(models.frozen(str(tmp_path), prefix))
    assert np.abs(soft - unpruned).max() > 1e-4 * np.abs(unpruned).max()


def test_the_inner_groups_go_by_sparsity_unless_told_otherwise(prefix, tmp_path):
    plan, stdout = pruned(prefix, tmp_path)

    assert (plan.threshold, plan.mode, plan.channel_multiple) == (0.5, 'block', 4)
    assert [group.name for group in plan.groups] == [BLOCK, GATE]
    assert f'Soft-pruned {plan.removed_count} of 28 channels' in stdout


@pytest.mark.parametrize(
    ('flags', 'reason'),
    [
        (['--ratio=0.01'], 'the choice is less than one channel'),
        (
            ['--count=2', '--channel_multiple=64'],
            'a width that is a multiple of 64',
        ),
    ],
)
def test_where_nothing_goes_one_line_says_why(prefix, tmp_path, flags, reason):
    plan, stdout = pruned(prefix, tmp_path, *flags)

    assert plan.removed_count == 0
    (line,) = [line for line in stdout.splitlines() if 'Nothing goes' in line]
    assert reason in line


def test_a_plan_for_another_checkpoint_asks_for_the_pruned_one(prefix, tmp_path):
    pruned(prefix, tmp_path, '--threshold=0.5')
    done = models.run_tool(
        'strip.py',
        f'--model={prefix}',
        f'--plan={tmp_path / "plan.json"}',
        f'--output_dir={tmp_path / "out"}',
        '--formats=ckpt',
    )

    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if 'planned channels' in line]
    assert line.startswith('None of the ')
    assert 'give the soft-pruned or retrained one' in line
    assert f'beside the plan is {tmp_path / "model.ckpt"}.' in done.stdout


def test_the_training_graph_and_all_variables_stay(prefix, tmp_path):
    pruned(prefix, tmp_path, '--threshold=0.55')

    before, after = Checkpoint(prefix), Checkpoint(str(tmp_path / 'model.ckpt'))
    assert after.shapes == before.shapes
    with open(prefix + '.meta', 'rb') as old:
        assert (tmp_path / 'model.ckpt.meta').read_bytes() == old.read()


def test_a_target_of_macs_is_met_by_a_ranking_of_all_groups(prefix, tmp_path):
    plan, stdout = pruned(
        prefix,
        tmp_path,
        '--criterion=l2',
        '--normalizer=l2',
        '--target_macs=0.6',
        '--channel_multiple=2',
        '--min_width=2',
        f'--protect={GATE}',
    )

    assert list(plan.widths()) == [BLOCK]
    assert plan.widths()[BLOCK] % 2 == 0
    before, after = re.search(
        r'MACs ([\d,]+) -> ([\d,]+)', stdout.replace('\n', ' ')
    ).groups()
    assert int(after.replace(',', '')) <= 0.6 * int(before.replace(',', ''))


def test_a_seed_makes_the_random_choice_again(prefix, tmp_path):
    flags = ('--criterion=random', '--ratio=0.5')
    first, _ = pruned(prefix, tmp_path / 'a', *flags, '--seed=3')
    same, _ = pruned(prefix, tmp_path / 'b', *flags, '--seed=3')
    other, _ = pruned(prefix, tmp_path / 'c', *flags, '--seed=4')

    assert same == first
    assert other.groups != first.groups


def test_a_saved_model_is_soft_pruned_and_stripped(prefix, tmp_path):
    saved = models.saved_model(str(tmp_path), prefix)

    pruned(saved, tmp_path, '--criterion=l1', '--ratio=0.5')

    soft = models.answers(models.frozen(str(tmp_path), str(tmp_path / 'model.ckpt')))
    found = stripped(tmp_path)
    assert np.abs(found - soft).max() <= 1e-5 * np.abs(soft).max()


def test_a_pruned_saved_model_keeps_the_names_of_its_signature(prefix, tmp_path):
    saved = models.saved_model(str(tmp_path), prefix)
    pruned(saved, tmp_path, '--criterion=l1', '--ratio=0.5')

    stripped(tmp_path, '--output_nodes=output', '--formats=pb,saved_model')

    with tf.Graph().as_default(), tf.Session() as session:
        found = tf.saved_model.loader.load(
            session, ['serve'], str(tmp_path / 's' / 'saved_model')
        ).signature_def['serving_default']
    assert [*found.inputs, *found.outputs] == ['image', 'logits']


def test_a_run_that_fails_leaves_plan_and_checkpoint_of_the_one_before(
    prefix, tmp_path
):
    pruned(prefix, tmp_path, '--criterion=l1', '--ratio=0.5')
    before = trained.contents(tmp_path)

    failed = programs.run(
        'tools/prune.py',
        *(f'--model={prefix}', f'--output_dir={tmp_path}', '--overwrite'),
        *('--criterion=l1', '--ratio=0.25'),
        largest_file=2000,
    )

    assert failed.returncode == 1
    assert failed.stderr.count('\n') == 1
    assert trained.contents(tmp_path) == before


def signatures_in(folder):
    """Signature -> names of its inputs and outputs."""
    graph = saved_model.read_saved_model(str(folder), ['serve'])
    return {
        name: [*found.inputs, *found.outputs]
        for name, found in graph.signature_def.items()
    }


TWO = {'serving_default': ['image', 'probs'], 'features': ['x', 'logits']}


def test_no_signature_is_lost_from_tool_to_tool(prefix, tmp_path):
    saved = models.signed_saved_model(str(tmp_path), prefix)

    _, said = pruned(saved, tmp_path, '--criterion=l1', '--ratio=0.5')
    args = (f'--model={tmp_path / "model.ckpt"}', '--formats=ckpt,saved_model')
    first = models.run_tool('strip.py', *args, f'--output_dir={tmp_path / "s"}')
    args = (f'--model={tmp_path / "s" / "stripped.ckpt"}', '--formats=saved_model')
    again = models.run_tool('strip.py', *args, f'--output_dir={tmp_path / "t"}')

    for done in (first, again):
        assert (done.returncode, done.stderr) == (0, '')
    options = LoadOptions(signature='features')
    one = load(str(tmp_path / 'model.ckpt'), options=options)
    assert one.graph.outputs == ('output',)
    assert [each.name for each in one.signatures if each.outputs] == ['features']
    assert signatures_in(tmp_path / 's' / 'saved_model') == TWO
    assert signatures_in(tmp_path / 't' / 'saved_model') == TWO
    for text in (said, first.stdout, again.stdout):
        for line in ('input image', 'input x', 'output probs', 'output logits'):
            # Once as it was read, and once as it was written.
            assert text.count(f'\n{line} ') == 2
    assert 'output:0  float32      ?x5         features' in said


def test_a_signature_that_is_not_meant_is_left_out_with_a_line(prefix, tmp_path):
    saved = models.signed_saved_model(str(tmp_path), prefix)
    args = (f'--model={saved}', f'--output_dir={tmp_path / "s"}')

    one = models.run_tool(
        'strip.py', *args, '--formats=saved_model', '--signature=features'
    )
    missing = models.run_tool('strip.py', *args, '--signature=x', '--overwrite')

    assert (one.returncode, one.stderr) == (0, '')
    lacks = "Signature 'serving_default' is left out: none of its outputs ('probs')"
    assert lacks in one.stdout
    report = json.loads((tmp_path / 's' / 'report.json').read_text())
    assert report['signatures_lack'][0].startswith(lacks)
    assert [end['tensor'] for end in report['inputs_and_outputs']] == [
        'input:0',
        'output:0',
    ]
    found = {'features': TWO['features']}
    assert signatures_in(tmp_path / 's' / 'saved_model') == found
    assert "There is no signature 'x'; there is 'features'," in missing.stderr


def test_zero_filters_of_a_frozen_graph_are_stripped(prefix, tmp_path):
    pruned(prefix, tmp_path, '--criterion=l1', '--ratio=0.5')
    frozen = models.frozen(str(tmp_path), str(tmp_path / 'model.ckpt'))
    target = tmp_path / 'small'

    done = models.run_tool('strip.py', f'--model={frozen}', f'--output_dir={target}')

    assert (done.returncode, done.stderr) == (0, '')
    assert sorted(p.name for p in target.iterdir()) == ['report.json', 'stripped.pb']
    small = target / 'stripped.pb'
    assert small.stat().st_size < 0.9 * (tmp_path / 'frozen.pb').stat().st_size
    expected = models.answers(frozen)
    assert np.abs(models.answers(str(small)) - expected).max() <= 1e-5


@pytest.mark.parametrize(
    ('flags', 'message'),
    [
        (('--criterion=sparsty',), "Nearest names: 'sparsity'"),
        (('--criterion=l1',), "'l1' has no default threshold: give --ratio"),
        (('--criterion=l1', '--threshold=0.5'), "'l1' has no threshold in (0, 1)"),
        (('--modle=x',), "flag 'modle'. Did you mean --mode or --model?"),
        (('--zzz=x',), "flag 'zzz'; see --help."),
        (('--checkpoint=x',), "flag 'checkpoint'. Did you mean --model?"),
        (
            ('--ratio=0.5', '--threshold=0.5'),
            'threshold and ratio given; expected exactly',
        ),
        (('--ratio=1',), 'ratio is 1.0; expected between 0 and 1'),
        (('--threshold=1.5',), 'Threshold is 1.5; expected a number in (0, 1)'),
        (('--groups=some',), 'groups'),
        (('--channel_multiple=0',), 'channel_multiple'),
        (
            ('--target_macs=0.5', '--target_parameters=0.5'),
            'Give one target, not --target_macs and --target_parameters',
        ),
        (
            ('--criterion=l1', '--target_macs=0.05'),
            'target is 5.0% of the macs, and with the chosen groups',
        ),
        (('--scope_ratios=net',), "'net'; expected scope:ratio"),
        (
            ('--width_bins=1,two', '--width_ratios=0.5'),
            "--width_bins is '1,two'; expected numbers",
        ),
        (('--protect=nothing',), "Pattern 'nothing' protects no chosen group"),
        (
            ('--criterion=kmeans', '--target_macs=0.5'),
            'needs to know how many',
        ),
        (('--stale_scores',), '--stale_scores belongs to --scores or --mean_replacem'),
        (('--scope_names=nothing',), "Scope 'nothing' matches nothing"),
        (('--output_nodes=outptu',), "Nearest names: 'output'"),
        (
            ('--criterion=bn_scale', '--ratio=0.5', f'--scope_names={GATE}'),
            f'group {GATE!r} has none',
        ),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(flags, message, prefix, tmp_path):
    target = tmp_path / 'out'

    done = models.run_tool(
        'prune.py', f'--model={prefix}', f'--output_dir={target}', *flags
    )

    assert (done.returncode, done.stdout) == (1, '')
    assert message in done.stderr
    assert done.stderr.count('\n') == 1
    assert not target.exists()


@pytest.mark.parametrize('tool', ['prune.py', 'strip.py'])
def test_the_folder_of_a_training_keeps_its_state(prefix, tmp_path, tool):
    state = tmp_path / 'checkpoint'
    state.write_text(
        'model_checkpoint_path: "m-8"\nall_model_checkpoint_paths: "m-8"\n'
    )
    before = trained.contents(tmp_path)

    done = models.run_tool(tool, f'--model={prefix}', f'--output_dir={tmp_path}')

    assert done.returncode == 1
    assert "checkpoint' names 'm-8'; with" in done.stderr
    assert 'new checkpoint. See --overwrite.' in done.stderr
    assert trained.contents(tmp_path) == before


def test_output_that_is_there_stays_unless_it_may_go(prefix, tmp_path):
    first, _ = pruned(prefix, tmp_path)
    command = (f'--model={prefix}', f'--output_dir={tmp_path}', '--threshold=0.6')

    refused = models.run_tool('prune.py', *command)
    done = models.run_tool('prune.py', *command, '--overwrite')

    assert (refused.returncode, done.returncode) == (1, 0)
    assert 'choose another folder. See --overwrite.' in refused.stderr
    assert plan_json.load_plan(str(tmp_path / 'plan.json')).threshold == 0.6
    assert first.threshold == 0.5


def test_a_frozen_graph_is_pruned_and_stripped_like_its_checkpoint(prefix, tmp_path):
    frozen = models.frozen(str(tmp_path), prefix)
    target = tmp_path / 'out'

    plan, text = pruned(frozen, target, '--criterion=l1', '--ratio=0.5', '--groups=all')
    soft = models.answers(str(target / 'model.pb'))
    small = models.run_tool(
        'strip.py',
        f'--model={target / "model.pb"}',
        f'--plan={target / "plan.json"}',
        f'--output_dir={target / "s"}',
        '--formats=pb',
    )
    found = models.answers(str(target / 's' / 'stripped.pb'))

    expected, _ = pruned(
        prefix, tmp_path / 'c', '--criterion=l1', '--ratio=0.5', '--groups=all'
    )
    assert plan.widths() == expected.widths()
    assert f'channels: {target / "model.pb"}' in text
    assert (small.returncode, small.stderr) == (0, '')
    assert np.abs(found - soft).max() <= 1e-5 * np.abs(soft).max()
    assert np.abs(models.answers(frozen) - soft).max() > 1e-3 * np.abs(soft).max()
    assert sorted(os.listdir(str(target))) == ['model.pb', 'plan.json', 's']


def test_models_of_two_kinds_do_not_share_a_folder(prefix, tmp_path):
    frozen = models.frozen(str(tmp_path), prefix)
    target = tmp_path / 'out'
    pruned(prefix, target)

    done = models.run_tool(
        'prune.py', f'--model={frozen}', f'--output_dir={target}', '--overwrite'
    )

    assert done.returncode == 1
    assert "model.ckpt.index' belongs to another plan" in done.stderr
    assert not (target / 'model.pb').exists()


def test_repair_brings_answers_back_from_samples(prefix, tmp_path):
    data = tmp_path / 'data.npz'
    images = np.random.RandomState(0).randn(60, 8, 8, 3).astype(np.float32)
    np.savez(str(data), input=images)

    plan, printed = pruned(
        prefix,
        tmp_path,
        '--criterion=l1',
        '--ratio=0.5',
        '--groups=all',
        '--repair',
        f'--data={data}',
        said='repair, pass: ',
    )

    changes = re.search(r'change of the outputs ([\d.]+) -> ([\d.]+)', printed).groups()
    assert float(changes[1]) < float(changes[0]) / 2
    soft = models.answers(models.frozen(str(tmp_path), str(tmp_path / 'model.ckpt')))
    found = stripped(tmp_path, f'--plan={tmp_path / "plan.json"}')
    assert np.abs(found - soft).max() <= 1e-5 * np.abs(soft).max()
    own = Checkpoint(str(tmp_path / 'model.ckpt'))
    kernel = next(name for name in own if name.endswith('project/conv/kernel'))
    assert not own[f'{kernel}/Adam'].any()
    assert plan.removed_count > 0


@pytest.mark.parametrize(
    'flags, message',
    [
        (['--repair'], '--repair needs samples: give --data.'),
        (['--data=x.npz'], '--data is for --repair: give both, or none.'),
        (
            ['--repair', '--data=x.npz', '--mean_replacement=m.npz'],
            '--repair does more than --mean_replacement: give one.',
        ),
    ],
)
def test_samples_and_repair_belong_together(prefix, tmp_path, flags, message):
    done = models.run_tool(
        'prune.py',
        f'--model={prefix}',
        f'--output_dir={tmp_path}',
        '--ratio=0.5',
        '--criterion=l1',
        *flags,
    )
    assert done.returncode == 1
    assert message in done.stderr
    assert not os.path.exists(str(tmp_path / 'plan.json'))
