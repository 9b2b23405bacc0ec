"""Train, soft-prune step by step, retrain, strip and fine-tune a small MobileNetV2.

The data are the real handwritten digits that ship with scikit-learn, or those that
--dataset and --data_dir name: MNIST, CIFAR-10, a folder of images ... The run ends with
a table of the original, the soft-pruned, the stripped and the fine-tuned network side
by side, and of what repair from unlabelled images does instead of all that training.
With --from_scratch it also has one of the same widths that was trained from random
weights for as many steps as all the others together. The same figures are in
`results.json` in the output folder.

    python train_pruning_class.py --output_dir demo_output

A run that was stopped goes on when the same command is given again. With a cluster in
TF_CONFIG the process is one task of many: chief, worker or ps; without ps all of them
train in step.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import time
from typing import Dict, Mapping, Optional

from absl import flags

import tf1pruning as tp
from demo.datasets import registry
from demo.training import classifier, cluster_run, results, untrained
from demo.training.settings import Settings
from demo.training.trainer import Part, Train, Trainer, Training
from tf1pruning import Pruning, files
from tf1pruning import plan as plan_lib
from tf1pruning.ckpt import checkpoint as checkpoint_lib
from tf1pruning.cli import program
from tf1pruning.cluster import tasks
from tf1pruning.data.dataset import Dataset
from tf1pruning.errors import OptionError
from tf1pruning.graph.frozen import freeze
from tf1pruning.steps.stripping import StrippedModel
from tf1pruning.training import run_state

FLAGS = flags.FLAGS

flags.DEFINE_string('output_dir', None, 'Folder for everything that the run writes.')
flags.DEFINE_string(
    'dataset', 'digits', f'Data set: one of {", ".join(registry.known())}.'
)
flags.DEFINE_string(
    'data_dir', None, 'Folder of the files of the data set; the digits need none.'
)
flags.DEFINE_float(
    'test_share',
    0.3,
    'Share of the images that is for tests; only for digits, the data set that has no '
    'test images of its own.',
)
flags.DEFINE_string('model', 'small', 'MobileNetV2: small, standard or tiny.')
flags.DEFINE_string('activation', 'relu6', 'Activation: relu6, relu or swish.')
flags.DEFINE_integer('train_steps', 500, 'Steps of the training before pruning.')
flags.DEFINE_integer('retrain_steps', 200, 'Steps of each retraining.')
flags.DEFINE_integer(
    'finetune_steps', 200, 'Steps of the training of the stripped network.'
)
flags.DEFINE_bool(
    'from_scratch',
    False,
    'Also train a network of the stripped widths from random weights, for as many '
    'steps as all other trainings together.',
)
flags.DEFINE_list('thresholds', ['0.7', '0.6', '0.5'], 'Pruning thresholds, in order.')
flags.DEFINE_float(
    'max_failure_rate', 0.1, 'Retrain again while the failure rate is above this.'
)
flags.DEFINE_integer('max_retrains', 3, 'Most retrainings of one threshold step.')
flags.DEFINE_string('mode', 'block', 'What soft pruning zeroes: block or filter.')
flags.DEFINE_integer('channel_multiple', 4, 'Kept widths are multiples of this.')
flags.DEFINE_string(
    'optimizer', 'momentum', f'One of {", ".join(sorted(classifier.OPTIMIZERS))}.'
)
flags.DEFINE_float(
    'learning_rate', None, 'Learning rate. Default: one that suits the optimizer.'
)
flags.DEFINE_float(
    'retrain_learning_rate', None, 'Of the retrainings. Default: --learning_rate.'
)
flags.DEFINE_float('weight_decay', 5e-4, 'Factor of the L2 loss of the kernels.')
flags.DEFINE_float(
    'l1_decay', 6e-4, 'Factor of the L1 loss of the kernels, which makes them sparse.'
)
flags.DEFINE_integer('batch_size', 32, 'Images in a training batch.')
flags.DEFINE_integer('checkpoint_steps', 500, 'Save and evaluate every so many steps.')
flags.DEFINE_integer('seed', 1, 'Seed of the split, the weights and the batches.')
flags.DEFINE_list(
    'devices', [], 'Train a copy on each of these in step, e.g. gpu:0,gpu:1.'
)
flags.DEFINE_integer('latency_runs', 50, 'Runs of each network to time.')
flags.DEFINE_integer(
    'repair_images',
    512,
    'Training images, without labels, on which the pruned network is repaired instead '
    'of trained; 0: no repair. It needs --mode=block.',
)
flags.DEFINE_float(
    'peer_seconds', 600.0, 'Under TF_CONFIG: longest time to wait for another task.'
)

BASELINE = 'baseline'
FINE_TUNED = 'fine_tuned'
SOFT_PRUNED_PB = 'soft_pruned.pb'
OUTPUT = 'output'


def say(text: str) -> None:
    """Prints a line at once, also into a pipe."""
    print(text, flush=True)


def read_settings() -> Settings:
    """The flags, checked.

    Raises:
      OptionError: names every flag with a bad value.
    """
    values = {name: FLAGS[name].value for name in Settings.__dataclass_fields__}
    values['thresholds'] = tuple(program.numbers('thresholds'))
    values['devices'] = tuple(FLAGS.devices)
    if values['learning_rate'] is None:
        # Settings names an unknown optimizer together with all other bad values.
        recipe = classifier.OPTIMIZERS.get(FLAGS.optimizer)
        values['learning_rate'] = recipe.learning_rate if recipe else 1.0
    if values['retrain_learning_rate'] is None:
        values['retrain_learning_rate'] = values['learning_rate']
    if not FLAGS.output_dir:
        raise OptionError('--output_dir is missing; see --help.')
    if FLAGS.latency_runs < 1:
        raise OptionError(f'--latency_runs is {FLAGS.latency_runs}; expected >= 1.')
    if FLAGS.repair_images < 0:
        raise OptionError(f'--repair_images is {FLAGS.repair_images}; expected >= 0.')
    if not 0 < FLAGS.peer_seconds < float('inf'):
        raise OptionError(f'--peer_seconds is {FLAGS.peer_seconds}; expected > 0.')
    return Settings(**values)


class Run:
    """The parts of a run, in order. A part that is finished is not done again.

    Args:
      settings: of the run.
      train: trains in the output folder.
      dataset: to measure with.
    """

    def __init__(self, settings: Settings, train: Train, dataset: Dataset):
        self._settings = settings
        self._state_path = self._path('state.json')
        self._state = run_state.load_or_new(
            self._state_path, settings.as_json(), results.StepFigures
        )
        self._train_once = train
        self._dataset = dataset
        self._save(self._state)

    def train(self) -> str:
        """Trains the network to be pruned.

        Returns:
          Its checkpoint.
        """
        settings = self._settings
        training = Training(
            BASELINE, settings.train_steps, settings.learning_rate, settings.l1_decay
        )
        return self._train(training)

    def prune(self, baseline: str) -> Pruning:
        """Prunes and retrains at each threshold that is not done yet.

        Returns:
          The Pruning object, ready to strip.
        """
        settings = self._settings
        tf_pruning = Pruning(
            input_ckpt_path=baseline,
            scope_names=settings.pruning_scopes(),
            output_dir=FLAGS.output_dir,
            output_nodes=OUTPUT,
            channel_multiple=settings.channel_multiple,
            mode=settings.mode,
        )
        done = self._state.steps
        if done:
            folder = self._path(done[-1]['folder'])
            tf_pruning.set_output_dir(folder)
            tf_pruning.get_retrained_ckpt(folder)
        for th in settings.thresholds[len(done) :]:
            step = self._prune_at(th, tf_pruning)
            self._save(self._state.with_step(dataclasses.asdict(step)))
        return tf_pruning

    def _prune_at(self, th: float, tf_pruning: Pruning) -> results.StepFigures:
        """Prunes at one threshold and retrains until the filters stay at zero."""
        settings = self._settings
        tf_pruning.set_threshold(th)
        for attempt in range(settings.max_retrains):
            folder = f'TH{th}' + (f'_Repruned{attempt}' if attempt else '')
            tf_pruning.set_output_dir(self._path(folder))
            checkpoint = tf_pruning.pruning_process(retrain=attempt > 0)
            plan = tf_pruning.plan
            share = f'{plan.removed_count} of {plan.channel_count}'
            say(f'{folder}: pruned {share} channels')
            training = Training(
                folder,
                settings.retrain_steps,
                settings.retrain_learning_rate,
                settings.l1_decay,
                checkpoint,
                plan,
            )
            self._train(training)
            accuracy = self._state.accuracy(folder, training.steps)
            tf_pruning.get_retrained_ckpt(self._path(folder))
            failed_rate = tf_pruning.get_pruning_summary(accuracy)
            say(f'{folder}: failure rate {failed_rate:.3f}')
            if failed_rate <= settings.max_failure_rate:
                break
        else:
            say(f'TH{th}: the failure rate stays above the limit; going on')
        return results.StepFigures(
            threshold=th,
            failure_rate=failed_rate,
            retrains=attempt + 1,
            accuracy_pruned=self._state.accuracy(f'TH{th}', 0),
            accuracy=accuracy,
            folder=folder,
        )

    def strip(self, tf_pruning: Pruning) -> StrippedModel:
        """Removes the pruned filters."""
        tf_pruning.get_rebuild_graph()
        tf_pruning.get_strip_params()
        tf_pruning.get_strip_ckpt()
        assert tf_pruning.strip_report is not None
        return tf_pruning.strip_report

    def fine_tune(self, tf_pruning: Pruning) -> str:
        """Trains the stripped network on, without the L1 loss.

        The model's own code builds it with the new widths.

        Returns:
          Its checkpoint.
        """
        settings = self._settings
        training = Training(
            FINE_TUNED,
            settings.finetune_steps,
            settings.retrain_learning_rate,
            l1_decay=0.0,
            checkpoint=tf_pruning.export_ckpt_path,
            widths=_widths(tf_pruning),
        )
        return self._train(training)

    def train_from_scratch(self, tf_pruning: Pruning) -> str:
        """Trains a network of the stripped widths from random weights.

        It takes as many steps as all other trainings together.

        Returns:
          Its checkpoint.
        """
        settings = self._settings
        retrains = sum(step['retrains'] for step in self._state.steps)
        before = settings.train_steps + retrains * settings.retrain_steps
        training = Training(
            results.FROM_SCRATCH,
            before + settings.finetune_steps,
            settings.learning_rate,
            l1_decay=0.0,
            widths=_widths(tf_pruning),
        )
        return self._train(training)

    def repair(
        self, tf_pruning: Pruning, baseline: str
    ) -> Optional[results.UntrainedFigures]:
        """Repairs the first network, pruned like the last; None: not asked for."""
        plan = tf_pruning.plan
        if plan is None or not FLAGS.repair_images or plan.mode != plan_lib.BLOCK:
            return None
        model = tp.load(baseline, [OUTPUT])
        found = untrained.measure(
            model, plan, self._dataset, FLAGS.repair_images, FLAGS.output_dir
        )
        say(f'repaired, without training: test accuracy {100 * found.repaired:.2f} %')
        return found

    def measure(
        self,
        report: StrippedModel,
        checkpoints: Mapping[str, str],
        stripped_pb: str,
        repaired: Optional[results.UntrainedFigures],
    ) -> results.Results:
        """Measures all networks side by side.

        Args:
          report: of the stripping.
          checkpoints: kind of network -> checkpoint, for those that have no pb yet.
          stripped_pb: frozen graph of the stripped network.
          repaired: what `repair` gives.
        """
        assert report.comparison is not None
        # Zeros cost what other numbers do: soft pruning alone saves nothing.
        whole = ('original', 'soft_pruned')
        costs = {
            kind: report.before if kind in whole else report.after
            for kind in results.KINDS
        }
        pb_paths = {'stripped': stripped_pb, 'soft_pruned': self._path(SOFT_PRUNED_PB)}
        freeze.write_frozen(pb_paths['soft_pruned'], report.reference)
        for kind, checkpoint in checkpoints.items():
            pb_paths[kind] = self._freeze(kind, checkpoint)
        return results.Results(
            models=results.measure(pb_paths, costs, self._dataset, FLAGS.latency_runs),
            steps=tuple(results.StepFigures(**step) for step in self._state.steps),
            max_difference_relative=report.comparison.relative,
            untrained=repaired,
        )

    def _freeze(self, kind: str, checkpoint: str) -> str:
        """Writes the frozen graph of a checkpoint's inference graph."""
        model = tp.load(checkpoint, [OUTPUT])
        path = self._path(f'{kind}.pb')
        freeze.write_frozen(path, model.frozen())
        return path

    def _train(self, training: Training) -> str:
        """Trains unless it is done. Returns the last checkpoint."""
        if not self._state.is_evaluated(training.name, training.steps):
            self._train_once(training, self._evaluated)
        # The steps of many workers may go a few beyond the wanted one.
        return checkpoint_lib.latest(self._path(training.name))

    def _evaluated(self, training: str, step: int, accuracy: float) -> None:
        say(f'{training}: test accuracy {100 * accuracy:.2f} % at step {step}')
        self._save(self._state.with_evaluation(training, step, accuracy))

    def _save(self, state: run_state.RunState) -> None:
        self._state = state
        state.save(self._state_path)

    def _path(self, name: str) -> str:
        return os.path.join(FLAGS.output_dir, name)


def _widths(tf_pruning: Pruning) -> Dict[str, int]:
    """Scope of a layer -> its width in the stripped network."""
    assert tf_pruning.strip_report is not None
    shapes = checkpoint_lib.Checkpoint(tf_pruning.retrained_ckpt_path).shapes
    return tf_pruning.strip_report.stripped.plan.layer_widths(shapes)


def lead(settings: Settings, train: Train, dataset: Dataset) -> None:
    """Everything, from the first training to the table."""
    started = time.monotonic()
    demo = Run(settings, train, dataset)
    baseline = demo.train()
    tf_pruning = demo.prune(baseline)
    report = demo.strip(tf_pruning)
    checkpoints = {'original': baseline, FINE_TUNED: demo.fine_tune(tf_pruning)}
    if FLAGS.from_scratch:
        checkpoints[results.FROM_SCRATCH] = demo.train_from_scratch(tf_pruning)
    repaired = demo.repair(tf_pruning, baseline)
    found = demo.measure(report, checkpoints, tf_pruning.export_pb_path, repaired)
    files.write_json(os.path.join(FLAGS.output_dir, 'results.json'), found.as_json())
    say(f'\n{found.table()}\n')
    say(f'{FLAGS.output_dir}: done in {time.monotonic() - started:.0f} s')


def run() -> None:
    """Does what the flags and TF_CONFIG say."""
    settings = read_settings()
    task = tasks.read_task(os.environ.get('TF_CONFIG', ''))
    part = Part(settings, FLAGS.output_dir, say, task, FLAGS.peer_seconds)
    if task is None:
        trainer = Trainer(part)
        lead(settings, trainer.train, trainer.dataset)
        return
    if settings.devices:
        raise OptionError(
            f'--devices is {",".join(settings.devices)} and TF_CONFIG has a cluster. '
            'Copies on devices are trained by one process: leave one of the two out.'
        )
    cluster_run.take_part(part, functools.partial(lead, settings))


if __name__ == '__main__':
    program.run(run, stopped='Stopped. The same command goes on from here.')
