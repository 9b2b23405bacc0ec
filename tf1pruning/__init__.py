"""Structured pruning of TensorFlow 1.15 networks.

    import tf1pruning as tp

    model = tp.load('model.ckpt-10', outputs=['output'])
    print(tp.analyze(model))
    plan = tp.choose(model, ratio=0.5, criterion='l2', groups='all')
    soft = tp.soft_prune(model, plan, 'soft/model.ckpt')
    small = tp.strip(soft, plan)
    print(tp.save(small, 'small', formats=['ckpt', 'pb', 'tflite']))

What this package, `tf1pruning.training`, `.schedules`, `.cluster`, `.criteria` and
`.data` name in `__all__` is public. Everything else is internal and may change.
"""

from tf1pruning.api import (
    analyze,
    check_samples,
    choose,
    compress,
    distill,
    repair,
    samples,
    save,
    score,
    soft_prune,
    strip,
)
from tf1pruning.choosing.choice import Choice, Limits, Target, WidthBins
from tf1pruning.choosing.scores import Combination
from tf1pruning.clock import Progress
from tf1pruning.errors import (
    CheckpointError,
    DataError,
    GraphError,
    OptionError,
    OutputError,
    PlanError,
    Tf1PruningError,
    VerificationError,
    WorkflowError,
)
from tf1pruning.facade.pruning import Pruning
from tf1pruning.models.model import Model
from tf1pruning.models.reading import LoadOptions, load
from tf1pruning.plan import Plan
from tf1pruning.plan_json import load_plan, save_plan
from tf1pruning.recovery.change import Change
from tf1pruning.recovery.distillation import DistillOptions
from tf1pruning.recovery.layerwise import LayerRepair
from tf1pruning.recovery.options import RepairOptions
from tf1pruning.report.analysis import Analysis
from tf1pruning.report.cost import Cost
from tf1pruning.sampling.options import SampleOptions
from tf1pruning.sampling.parts import Samples
from tf1pruning.schedules.run import prune_finetune
from tf1pruning.scoring.batches import Batches
from tf1pruning.scoring.result import Scores
from tf1pruning.steps.compress_options import CompressOptions
from tf1pruning.steps.compress_stages import Stage
from tf1pruning.steps.compressing import Compressed
from tf1pruning.steps.distilling import Distilled
from tf1pruning.steps.exporting import Export, ExportOptions, Exports
from tf1pruning.steps.repairing import Repaired
from tf1pruning.steps.stripping import StrippedModel
from tf1pruning.surgery.choice import RemovalOptions
from tf1pruning.surgery.verify import Comparison

__version__ = '0.2.0'

__all__ = [
    'Analysis',
    'Batches',
    'Change',
    'CheckpointError',
    'Choice',
    'Combination',
    'Comparison',
    'CompressOptions',
    'Compressed',
    'Cost',
    'DataError',
    'DistillOptions',
    'Distilled',
    'Export',
    'ExportOptions',
    'Exports',
    'GraphError',
    'LayerRepair',
    'Limits',
    'LoadOptions',
    'Model',
    'OptionError',
    'OutputError',
    'Plan',
    'PlanError',
    'Progress',
    'Pruning',
    'RemovalOptions',
    'RepairOptions',
    'Repaired',
    'SampleOptions',
    'Samples',
    'Scores',
    'Stage',
    'StrippedModel',
    'Target',
    'Tf1PruningError',
    'VerificationError',
    'WidthBins',
    'WorkflowError',
    '__version__',
    'analyze',
    'check_samples',
    'choose',
    'compress',
    'distill',
    'load',
    'load_plan',
    'prune_finetune',
    'repair',
    'samples',
    'save',
    'save_plan',
    'score',
    'soft_prune',
    'strip',
]
