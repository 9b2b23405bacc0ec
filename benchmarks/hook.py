"""What `PruningHook` costs: MobileNetV2 1.0/224, batch 32, half of the inner filters.

Seconds are those of the processors, all threads together, which other programs on the
machine disturb less than the clock. The trainings take turns, one step each. Where the
share is smaller than the noise of the steps, the zeroing alone, which is measured too,
says more. The goal: at most 2 % of a step.
"""

from __future__ import annotations

import time
from typing import Any, Dict, List, Optional

import numpy as np
import tensorflow.compat.v1 as tf

from benchmarks import freezing, subjects
from demo.networks import mobilenet_v2
from tf1pruning import plan as plan_lib
from tf1pruning.channels import groups as groups_lib
from tf1pruning.channels import select
from tf1pruning.channels import trace as trace_lib
from tf1pruning.graph.inference import derivation
from tf1pruning.plan import Plan
from tf1pruning.training import graph_variables, pruning_hook
from tf1pruning.training.eraser import Eraser

BATCH = 32
SIZE = 224
NO_HOOK = 'no hook'
VARIANTS = (NO_HOOK, pruning_hook.OBSERVE, pruning_hook.HOLD)
ZEROING = 'zeroing alone'


def run(runs: int) -> Dict[str, Any]:
    """Median processor seconds of a training step with and without the hook."""
    plan = _plan()
    trainings = {variant: _Training(plan, variant) for variant in VARIANTS}
    seconds: Dict[str, List[float]] = {name: [] for name in (*VARIANTS, ZEROING)}
    for turn in range(runs + 1):
        for variant, training in trainings.items():
            taken = training.step()
            if turn:  # The first is a warm-up.
                seconds[variant].append(taken)
                if variant == pruning_hook.HOLD:
                    seconds[ZEROING].append(training.zero())
    for training in trainings.values():
        training.close()
    medians = {name: float(np.median(times)) for name, times in seconds.items()}
    return {
        'network': f'MobileNetV2 1.0/{SIZE}',
        'command': freezing.COMMAND,
        'batch': BATCH,
        'runs': runs,
        'pruned_channels': plan.removed_count,
        'median_seconds': medians,
        'shares': {
            **{v: medians[v] / medians[NO_HOOK] - 1 for v in VARIANTS[1:]},
            ZEROING: medians[ZEROING] / medians[NO_HOOK],
        },
    }


def _plan() -> Plan:
    """Half of the filters of every inner group."""

    def build(images: tf.Tensor) -> None:
        mobilenet_v2.build(images, mobilenet_v2.standard())

    meta_graph = subjects.exported(build, (SIZE, SIZE, 3))
    model = derivation.derive(meta_graph, ['output'])
    groups = groups_lib.find_groups(trace_lib.trace(model))
    selection = select.groups_in_scopes(groups, [''])
    chosen = [group for found in selection.values() for group in found]
    plans = [plan_lib.plan_group(g, range(g.width // 2), g.width // 2) for g in chosen]
    fingerprint = plan_lib.fingerprint(chosen, model)
    return Plan(fingerprint, plan_lib.BLOCK, 1, None, tuple(plans))


class _Training:
    """A training of the network on random images that stay the same."""

    def __init__(self, plan: Plan, variant: str):
        with tf.Graph().as_default():
            tf.set_random_seed(0)
            step = tf.train.get_or_create_global_step()
            images = tf.constant(np.random.RandomState(0).rand(*_SHAPE), tf.float32)
            logits = mobilenet_v2.build(images, mobilenet_v2.standard(), True)
            labels = tf.zeros([BATCH], tf.int32)
            loss = tf.losses.sparse_softmax_cross_entropy(labels, logits)
            with tf.control_dependencies(tf.get_collection(tf.GraphKeys.UPDATE_OPS)):
                optimizer = tf.train.MomentumOptimizer(0.001, 0.9)
                self._train = optimizer.minimize(loss, step)
            parts = graph_variables.by_key(tf.global_variables())
            self._zero: Optional[tf.Operation] = None
            hooks = []
            if variant != NO_HOOK:
                hooks = [pruning_hook.PruningHook(plan, variant, every_steps=100)]
                self._zero = Eraser(plan, parts, replaceable=False).all
            self._session = tf.train.MonitoredSession(hooks=hooks)

    def step(self) -> float:
        """Processor seconds of one training step."""
        started = time.process_time()
        self._session.run(self._train)
        return time.process_time() - started

    def zero(self) -> float:
        """Processor seconds of writing the zeros, in a call of its own."""

        def call(step_context: Any) -> float:
            started = time.process_time()
            step_context.session.run(self._zero)
            return time.process_time() - started

        return self._session.run_step_fn(call)

    def close(self) -> None:
        """Ends the training."""
        self._session.close()


_SHAPE = (BATCH, SIZE, SIZE, 3)


HEADER = ('hook', 'seconds', 'of a step', 'goal')


def rows(result: Dict[str, Any]) -> List[List[str]]:
    """The cells of the table, for `HEADER`."""
    shares = result['shares']
    return [
        [
            name,
            f'{seconds:.3f}',
            f'{100 * shares[name]:+.1f} %' if name in shares else '',
            '2 %' if name in shares else '',
        ]
        for name, seconds in result['median_seconds'].items()
    ]


def title(result: Dict[str, Any]) -> str:
    """What the table shows."""
    return (
        f'Hook in a training step of {result["network"]}, batch {result["batch"]}, '
        f'{result["pruned_channels"]} filters planned, median of {result["runs"]} runs'
    )
