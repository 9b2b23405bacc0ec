"""Train, soft-prune step by step, retrain and strip a small MobileNetV2.

The data are the real handwritten digits that ship with scikit-learn. The run ends with
a table of the original, the soft-pruned and the stripped network side by side, and
writes the same figures to `results.json` in the output folder.

    python train_pruning_class.py --output_dir demo_output

A run that was stopped goes on when the same command is given again.
"""

from __future__ import annotations

import dataclasses
import os
import time
from typing import Any, Callable, Dict, Optional

import tensorflow.compat.v1 as tf
from absl import flags

from tf1pruning import Pruning, files
from tf1pruning.errors import OptionError
from tf1pruning.graph import freeze
from tf1pruning.plan import Plan
from tf1pruning.training import run_state
from tf1pruning.training.listener import EvalCheckpointSaverListener
from tf1pruning.training.progress import ProgressHook
from tf1pruning.workflow import command, loading
from tf1pruning.zoo import classifier, digits, results
from tf1pruning.zoo.settings import Settings

FLAGS = flags.FLAGS

flags.DEFINE_string('output_dir', None, 'Folder for everything that the run writes.')
flags.DEFINE_string('dataset', 'digits', 'Data set: digits.')
flags.DEFINE_float('test_share', 0.3, 'Share of the images that is kept for tests.')
flags.DEFINE_string('model', 'small', 'MobileNetV2: small or standard.')
flags.DEFINE_string('activation', 'relu6', 'Activation: relu6, relu or swish.')
flags.DEFINE_integer('train_steps', 800, 'Steps of the training before pruning.')
flags.DEFINE_integer('retrain_steps', 400, 'Steps of each retraining.')
flags.DEFINE_list(
    'thresholds', ['0.8', '0.7', '0.6', '0.55', '0.5'], 'Pruning thresholds, in order.'
)
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
    'learning_rate', None, 'Learning rate; by default one that suits the optimizer.'
)
flags.DEFINE_float(
    'retrain_learning_rate', None, 'Of the retrainings; by default the same.'
)
flags.DEFINE_float('weight_decay', 5e-4, 'Factor of the L2 loss of the kernels.')
flags.DEFINE_float(
    'l1_decay', 3e-4, 'Factor of the L1 loss of the kernels, which makes them sparse.'
)
flags.DEFINE_integer('batch_size', 32, 'Images in a training batch.')
flags.DEFINE_integer('checkpoint_steps', 400, 'Save and evaluate every so many steps.')
flags.DEFINE_integer('seed', 1, 'Seed of the split, the weights and the batches.')
flags.DEFINE_integer('latency_runs', 50, 'Runs of each network to time.')

BASELINE = 'baseline'
OUTPUT = 'output'
# Seconds between two progress lines.
PROGRESS_SECONDS = 4.0


def say(text: str) -> None:
    """Prints a line at once, also into a pipe."""
    print(text, flush=True)


def read_settings() -> Settings:
    """The flags, checked.

    Raises:
      OptionError: names every flag with a bad value.
    """
    values = {name: FLAGS[name].value for name in Settings.__dataclass_fields__}
    try:
        values['thresholds'] = tuple(float(text) for text in FLAGS.thresholds)
    except ValueError:
        raise OptionError(
            f'--thresholds is {",".join(FLAGS.thresholds)!r}; expected numbers.'
        ) from None
    if values['learning_rate'] is None:
        # Settings refuses an unknown optimizer, together with all else that is wrong.
        recipe = classifier.OPTIMIZERS.get(FLAGS.optimizer)
        values['learning_rate'] = recipe.learning_rate if recipe else 1.0
    if values['retrain_learning_rate'] is None:
        values['retrain_learning_rate'] = values['learning_rate']
    if not FLAGS.output_dir:
        raise OptionError('--output_dir is missing.')
    if FLAGS.latency_runs < 1:
        raise OptionError(f'--latency_runs is {FLAGS.latency_runs}; expected >= 1.')
    return Settings(**values)


class Trainer:
    """Trains and evaluates the network of the settings on their data.

    Args:
      settings: of the run.
      output_dir: the trainings' folders lie in it.
      on_result: called with (training, step, test accuracy) after each evaluation.
    """

    def __init__(
        self,
        settings: Settings,
        output_dir: str,
        on_result: Callable[[str, int, float], None],
    ):
        self._settings = settings
        self._output_dir = output_dir
        self._on_result = on_result
        self.train_split, self.test_split = digits.load(
            settings.test_share, settings.seed
        )

    def train(self, training: str, checkpoint: str = '') -> None:
        """Trains in the folder `training`, or goes on with what was begun there.

        With a `checkpoint` this is a retraining that starts from its weights.
        """
        settings = self._settings
        model_params = self._model_params(checkpoint)
        model = self._estimator(training, model_params)
        listener = EvalCheckpointSaverListener(
            model,
            digits.eval_input_fn(self.test_split),
            on_result=lambda step, found: self._on_result(
                training, step, found['accuracy']
            ),
        )
        total = model_params['train_steps']
        model.train(
            digits.train_input_fn(self.train_split, settings.batch_size, settings.seed),
            max_steps=total,
            hooks=[ProgressHook(total, 'loss:0', training, PROGRESS_SECONDS, say)],
            saving_listeners=[listener],
        )
        if not listener.results:
            # Trained before, by a run that was stopped on its way to the evaluation.
            listener.after_save(None, total)

    def _estimator(
        self, training: str, model_params: Dict[str, Any]
    ) -> tf.estimator.Estimator:
        config = tf.estimator.RunConfig(
            tf_random_seed=self._settings.seed,
            save_checkpoints_steps=self._settings.checkpoint_steps,
            keep_checkpoint_max=2,
        )
        return tf.estimator.Estimator(
            model_fn=classifier.model_fn,
            model_dir=os.path.join(self._output_dir, training),
            config=config,
            params=model_params,
        )

    def _model_params(self, checkpoint: str) -> Dict[str, Any]:
        settings = self._settings
        return {
            'config': settings.model_config(digits.CLASSES),
            'optimizer': settings.optimizer,
            'weight_decay': settings.weight_decay,
            'l1_decay': settings.l1_decay,
            'pretrained_model_path': checkpoint,
            'learning_rate': settings.retrain_learning_rate
            if checkpoint
            else settings.learning_rate,
            'train_steps': settings.retrain_steps
            if checkpoint
            else settings.train_steps,
        }


class Run:
    """The parts of a run, in order. A part that is finished is not done again.

    Args:
      settings: of the run.
      output_dir: folder for everything that it writes.
    """

    def __init__(self, settings: Settings, output_dir: str):
        self._settings = settings
        self._output_dir = output_dir
        self._state_path = self._path('state.json')
        self._state = run_state.load_or_new(self._state_path, settings.as_json())
        self._trainer = Trainer(settings, output_dir, self._evaluated)
        self._save(self._state)

    def train(self) -> str:
        """Trains the network to be pruned.

        Returns:
          Its checkpoint.
        """
        steps = self._settings.train_steps
        self._train(BASELINE, steps)
        return self._path(BASELINE, f'model.ckpt-{steps}')

    def prune(self, baseline: str) -> Pruning:
        """Climbs down the ladder of thresholds, from where the run stands.

        Returns:
          The Pruning object, ready to strip.
        """
        settings = self._settings
        tf_pruning = Pruning(
            input_ckpt_path=baseline,
            scope_names=settings.pruning_scopes(),
            output_dir=self._output_dir,
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
        try_count = 0
        failed_rate = 1.0
        tf_pruning.set_threshold(th)
        while failed_rate > settings.max_failure_rate:
            if try_count == settings.max_retrains:
                say(f'TH{th}: the failure rate stays above the limit; going on')
                break
            folder = f'TH{th}' + (f'_Repruned{try_count}' if try_count else '')
            tf_pruning.set_output_dir(self._path(folder))
            checkpoint = tf_pruning.pruning_process(retrain=try_count > 0)
            say(f'{folder}: pruned {_share(tf_pruning.plan)} channels')
            accuracy = self._train(folder, settings.retrain_steps, checkpoint)
            tf_pruning.get_retrained_ckpt(self._path(folder))
            failed_rate = tf_pruning.get_pruning_summary(accuracy)
            say(f'{folder}: failure rate {failed_rate:.3f}')
            try_count += 1
        return results.StepFigures(
            threshold=th,
            failure_rate=failed_rate,
            retrains=try_count,
            accuracy_pruned=self._state.accuracy(f'TH{th}', 0),
            accuracy=accuracy,
            folder=folder,
        )

    def strip(self, baseline: str, tf_pruning: Pruning) -> results.Results:
        """Strips the network and measures it beside the two others."""
        tf_pruning.get_rebuild_graph()
        tf_pruning.get_strip_params()
        tf_pruning.get_strip_ckpt()
        report = tf_pruning.strip_report
        assert report is not None and report.comparison is not None
        costs = {
            # Zeros cost what other numbers do: soft pruning alone saves nothing.
            'original': report.before,
            'soft_pruned': report.before,
            'stripped': report.after,
        }
        pb_paths = {
            'original': self._freeze_original(baseline),
            'soft_pruned': self._path('soft_pruned.pb'),
            'stripped': tf_pruning.export_pb_path,
        }
        freeze.write_frozen(pb_paths['soft_pruned'], report.reference)
        return results.Results(
            models=results.measure(
                pb_paths, costs, self._trainer.test_split, FLAGS.latency_runs
            ),
            steps=tuple(results.StepFigures(**step) for step in self._state.steps),
            max_difference_relative=report.comparison.relative,
        )

    def _freeze_original(self, baseline: str) -> str:
        """Writes the frozen graph of the unpruned network."""
        source = loading.load_source(baseline, (OUTPUT,))
        path = self._path('original.pb')
        freeze.write_frozen(path, freeze.freeze(source.model, source.arrays()))
        return path

    def _train(self, training: str, steps: int, checkpoint: str = '') -> float:
        """Trains unless it is done. Returns the test accuracy at the last step."""
        if not self._state.is_evaluated(training, steps):
            self._trainer.train(training, checkpoint)
        return self._state.accuracy(training, steps)

    def _evaluated(self, training: str, step: int, accuracy: float) -> None:
        say(f'{training}: test accuracy {100 * accuracy:.2f} % at step {step}')
        self._save(self._state.with_evaluation(training, step, accuracy))

    def _save(self, state: run_state.RunState) -> None:
        self._state = state
        state.save(self._state_path)

    def _path(self, *parts: str) -> str:
        return os.path.join(self._output_dir, *parts)


def _share(plan: Optional[Plan]) -> str:
    assert plan is not None, 'asked before get_pruning_filters()'
    return f'{plan.removed} of {plan.removed + plan.kept}'


def run() -> None:
    """Everything, from the flags to the table."""
    started = time.monotonic()
    settings = read_settings()
    demo = Run(settings, FLAGS.output_dir)
    baseline = demo.train()
    tf_pruning = demo.prune(baseline)
    found = demo.strip(baseline, tf_pruning)
    files.write_json(os.path.join(FLAGS.output_dir, 'results.json'), found.as_json())
    say(f'\n{found.table()}\n')
    say(f'{FLAGS.output_dir}: done in {time.monotonic() - started:.0f} s')


if __name__ == '__main__':
    command.run(run, stopped='Stopped. The same command goes on from here.')
