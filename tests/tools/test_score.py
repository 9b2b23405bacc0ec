"""tools/score.py scores on data; tools/prune.py prunes by what it wrote."""

from __future__ import annotations

import numpy as np
import pytest

from tests.studies import trained
from tests.studies.trained import BLOCK, GATE
from tests.tools import models
from tf1pruning import plan_json
from tf1pruning.scoring.result import Scores


@pytest.fixture(scope='module')
def prefix(tmp_path_factory):
    return models.checkpoint(str(tmp_path_factory.mktemp('model')), optimizer='adam')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    path = str(tmp_path_factory.mktemp('data') / 'data.npz')
    images = np.random.RandomState(0).rand(20, 8, 8, 3).astype(np.float32)
    np.savez(path, images=images, labels=np.arange(20, dtype=np.int32) % 5)
    return path


def run_score(prefix, path, *flags):
    return models.run_tool(
        'score.py',
        f'--model={prefix}',
        '--output_nodes=output',
        f'--output={path}',
        '--data=graph',
        *flags,
    )


def test_a_model_is_pruned_by_its_scores_on_its_own_pipeline(prefix, tmp_path):
    path = tmp_path / 'scores.npz'

    done = run_score(prefix, path, '--criteria=taylor_abs_rs,fisher', '--batches=2')
    pruned = models.run_tool(
        'prune.py',
        f'--model={prefix}',
        '--output_nodes=output',
        f'--output_dir={tmp_path / "out"}',
        f'--scores={path}',
        '--criterion=fisher',
        '--normalizer=l2',
        '--target_macs=0.8',
    )

    assert (done.returncode, pruned.returncode) == (0, 0), done.stderr + pruned.stderr
    assert 'scoring, batch: 2 of 2, about 0 s left' in done.stderr
    assert 'Scored 2 groups by 2 criteria on 2 batches' in done.stdout
    scores = Scores.load(str(path)).scores['fisher'][BLOCK][0]
    gone = plan_json.load_plan(str(tmp_path / 'out' / 'plan.json')).groups[0].removed
    kept = sorted(set(range(24)) - set(gone))
    assert len(gone) >= 4
    assert scores[list(gone)].min() >= scores[kept].max()


def test_a_file_that_is_there_stays(prefix, tmp_path):
    path = tmp_path / 'scores.npz'
    path.write_text('mine')

    done = run_score(prefix, path, '--criteria=apoz')

    assert (done.returncode, path.read_text()) == (1, 'mine')
    assert 'choose another folder. See --overwrite.' in done.stderr


def test_a_data_file_gives_a_batch_per_class(prefix, data, tmp_path):
    path = tmp_path / 'scores.npz'

    done = run_score(
        prefix,
        path,
        '--criteria=grasp',
        f'--data={data}',
        '--inputs=images=input,labels=input_1',
        '--class_balanced=input_1',
        '--per_class=3',
    )

    assert done.returncode == 0, done.stderr
    found = Scores.load(str(path))
    assert found.batches == 5
    assert found.scores['grasp'][GATE].shape == (1, 4)


@pytest.fixture(scope='module')
def means(prefix, data, tmp_path_factory):
    path = str(tmp_path_factory.mktemp('means') / 'scores.npz')
    inputs = '--inputs=images=input,labels=input_1'
    done = run_score(prefix, path, '--criteria=apoz', f'--data={data}', inputs)
    assert done.returncode == 0, done.stderr
    return f'--mean_replacement={path}'


def written(folder, name, *flags):
    """Runs a tool that writes into a folder."""
    done = models.run_tool(
        name, '--output_nodes=output', f'--output_dir={folder}', *flags
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_means_are_folded_before_zeros_are_written_or_while_stripping(
    prefix, means, tmp_path
):
    model = f'--model={prefix}'
    pruned = [model, '--criterion=l1', '--ratio=0.5']
    soft = written(tmp_path / 'soft', 'prune.py', *pruned, means)
    zeroed = written(tmp_path / 'zeroed', 'prune.py', *pruned)

    before = written(tmp_path / 'before', 'strip.py', f'--model={soft / "model.ckpt"}')
    plan = f'--plan={soft / "plan.json"}'
    while_stripping = written(tmp_path / 'while', 'strip.py', model, plan, means)

    one, other, zeros = (
        models.answers(path)
        for path in (
            str(before / 'stripped.pb'),
            str(while_stripping / 'stripped.pb'),
            models.frozen(str(tmp_path), str(zeroed / 'model.ckpt')),
        )
    )
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert np.abs(one - zeros).max() > 1e-3


def test_scores_of_an_older_checkpoint_are_refused_unless_they_are_meant(
    prefix, means, tmp_path
):
    path = means.partition('=')[2]
    newer = trained.retrain(prefix, str(tmp_path / 'newer'))
    flags = [f'--model={newer}', '--output_nodes=output', '--ratio=0.5']
    by_scores = [f'--scores={path}', '--criterion=apoz']

    for number, wanted in enumerate((by_scores, [means])):
        folder = tmp_path / f'pruned_{number}'
        stale = models.run_tool('prune.py', *flags, *wanted, f'--output_dir={folder}')

        assert (stale.returncode, folder.exists()) == (1, False)
        assert 'The scores are of other weights than those of the model' in stale.stderr
        written(
            folder, 'prune.py', *flags[:1], *wanted, '--ratio=0.5', '--stale_scores'
        )


@pytest.mark.parametrize(
    ('flags', 'message'),
    [
        (['--criteria=fishre'], "Nearest names: 'fisher'"),
        (['--criteria=fisher', '--loss=los'], "'los'"),
        (['--criteria=fisher', '--inputs=a=b'], '--inputs is for a file of arrays'),
        (['--criteria=fisher', '--data=none.npz'], "'none.npz' cannot be read"),
        (['--criteria=fisher', '--class_balanced=y'], 'needs a file of arrays'),
        (['--criteria=biased_loss_init'], 'give the initial checkpoint'),
        (['--criteria=fisher', '--model=x.pb'], "'x.pb' cannot be read"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(flags, message, prefix, tmp_path):
    path = tmp_path / 'scores.npz'

    done = run_score(prefix, path, '--batches=1', *flags)

    assert (done.returncode, done.stdout) == (1, '')
    assert message in done.stderr
    assert done.stderr.count('\n') == 1
    assert not path.exists()


def test_a_frozen_graph_is_scored_on_its_inputs_and_pruned(prefix, data, tmp_path):
    frozen = models.frozen(str(tmp_path), prefix)
    path = tmp_path / 'scores.npz'

    done = run_score(
        frozen,
        path,
        '--criteria=activation_mean',
        f'--data={data}',
        '--inputs=images=input',
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f'by 1 criteria on 1 batches: {path}\n')
    written(
        tmp_path / 'pruned',
        'prune.py',
        f'--model={frozen}',
        f'--scores={path}',
        '--criterion=activation_mean',
        '--ratio=0.5',
    )
    assert plan_json.load_plan(str(tmp_path / 'pruned' / 'plan.json')).removed_count
