"""Parts of a training: a hook that keeps zeros zero, warm start, losses."""

from tf1pruning.training.distillation import distillation_loss, teacher_answers
from tf1pruning.training.listener import EvalCheckpointSaverListener
from tf1pruning.training.pruning_hook import PruningHook
from tf1pruning.training.regularizers import (
    group_lasso,
    growing_penalty,
    l1_of_scales,
)
from tf1pruning.training.stripped_graph import import_stripped
from tf1pruning.training.warm_start import init_fn, warm_start_settings

__all__ = [
    'EvalCheckpointSaverListener',
    'PruningHook',
    'distillation_loss',
    'group_lasso',
    'growing_penalty',
    'import_stripped',
    'init_fn',
    'l1_of_scales',
    'teacher_answers',
    'warm_start_settings',
]
