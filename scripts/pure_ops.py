"""Writes tf1pruning/graph/pure_ops.py from TensorFlow's own registry of ops.

Run it after a change of the tables below, with each TensorFlow that is meant (1.15.0,
2.15.1 and 2.21.0 were), and read what changed: the ops of all of them are listed. An op
is pure if TensorFlow calls it stateless and no pattern of IMPURE fits, or if it is
listed in IN_MEMORY: its state ends with the session.
"""

from __future__ import annotations

import fnmatch
import pathlib
import textwrap
from typing import Iterable, List, Set

import tensorflow.compat.v1 as tf

from tf1pruning.graph import op_defs
from tf1pruning.graph.pure_ops import PIPELINE_ONLY_OPS, PURE_OPS

TARGET = pathlib.Path(__file__).parent.parent / 'tf1pruning' / 'graph' / 'pure_ops.py'
# Control flow and the like, which have no functions in tf.raw_ops.
_WITHOUT_FUNCTION = (
    'Const Enter Exit LoopCond Merge NextIteration RefEnter RefExit RefMerge '
    'RefNextIteration RefSwitch Switch _FusedBatchNormEx _FusedConv2D _FusedMatMul'
)
# Stateless by name only, or of no use to a network.
IMPURE = {
    'reads files': 'GenerateVocabRemapping ImmutableConst InitializeTableFromTextFile* '
    'MatchingFiles ReadFile Reader* DecodeProto* EncodeProto',
    'writes files': '*SnapshotDataset Debug*',
    'may write the file that an input names': 'CacheDataset*',
    'runs a graph or a function that is hidden in a value': 'DatasetFromGraph '
    'Deserialize*Iterator *IteratorFromStringHandle*',
    'calls Python': 'PyFuncStateless',
    'ends or stops the process': 'Abort *SleepDataset',
    'starts threads of its own': 'Batch BatchFunction Unbatch UnbatchGrad',
    'of other machines': '*TPU* AllToAll CollectivePermute CrossReplicaSum '
    'Infeed* Prelinearize*',
    'waits for what others put in': 'Accumulator* Barrier* Queue* SparseAccumulator*',
    'of other kinds of models': 'BoostedTrees* Sdca*',
    'for the tests of datasets': '*AssertNextDataset *NonSerializableDataset '
    'ChooseFastest* *StatsDataset Experimental*ChooseFastest*',
}
# Since TensorFlow 2; not all are in each version.
IMPURE_2 = {
    'reads or writes files': 'ListSnapshot* Snapshot?*',
    'calls hosts': 'DataService* RegisterDataset*',
    'of the debugger': 'Copy CopyHost',
    'of other machines': '*SparseCore* XlaSparseDense*',
}
# Stateful, and pure all the same: random numbers, variables, tables, loops, datasets.
IN_MEMORY = (
    'AddManySparseToTensorsMap AddSparseToTensorsMap AllCandidateSampler Assert '
    'Assign*VariableOp CheckNumerics CudnnRNN* Empty GuaranteeConst HashTable* If '
    'InitializeTableV2 LearnedUnigramCandidateSampler LogUniformCandidateSampler '
    'LookupTable*V2 Multinomial MutableDenseHashTable* MutableHashTable* '
    'ParameterizedTruncatedNormal Print PrintV2 Random[!S]* RandomShuffle '
    'RandomStandardNormal '
    'ReadVariableOp ResourceApply* ResourceCountUpTo ResourceGather* ResourceScatter* '
    'ResourceSparseApply* ResourceStridedSliceAssign RngSkip '
    'SampleDistortedBoundingBox* Stack* Stateful* TakeManySparseFromTensorsMap '
    'TemporaryVariable TensorArray* TensorListResize '
    'ThreadUnsafeUnigramCandidateSampler Timestamp TruncatedNormal '
    'UniformCandidateSampler VarHandleOp VarIsInitializedOp Variable VariableShape '
    'VariableV2 While '
    'AnonymousIterator* DatasetToSingleElement DeleteIterator *GroupByReducerDataset '
    'GeneratorDataset Iterator IteratorGetNext* IteratorV2 IteratorToStringHandle '
    'MakeIterator OneShotIterator RangeDataset ReduceDataset ShuffleDataset* '
    'SparseTensorSliceDataset TensorDataset TensorSliceDataset'
)
# Of an input pipeline: they read files, or wait for what others put in.
PIPELINE = (
    'Barrier* CSVDataset ExperimentalCSVDataset ExperimentalLMDBDataset '
    'ExperimentalMatchingFilesDataset FIFOQueue* FixedLengthRecord* IdentityReader* '
    'InitializeTableFromTextFile* LMDB* MapClear MapIncompleteSize MapPeek MapSize '
    'MapStage MapUnstage* MatchingFiles* OrderedMap* PaddingFIFOQueue* PriorityQueue* '
    'Queue* RandomShuffleQueue* ReadFile Reader* RecordInput Stage* TFRecord* '
    'TextLine* Unstage WholeFileReader*'
)

_MODULE = '''"""Ops that any graph may run, and others that input pipelines may run.

Written by scripts/pure_ops.py from TensorFlow's registry, then read.
"""

from __future__ import annotations

from tf1pruning.names import op_types

# They compute, or keep something in the memory of their session.
PURE_OPS = op_types(
{pure}
)
# They read files, or wait for what others put in, and do nothing else.
PIPELINE_ONLY_OPS = op_types(
{pipeline}
)
'''


def module() -> str:
    """The text of the module."""
    known = op_defs.op_defs({*dir(tf.raw_ops), *_WITHOUT_FUNCTION.split()})
    impure = matching(' '.join(IMPURE.values()), known)
    for pattern in ' '.join(IMPURE_2.values()).split():
        impure.update(fnmatch.filter(known, pattern))
    stateless = {
        name for name, definition in known.items() if not definition.is_stateful
    }
    only = matching(PIPELINE, known)
    pure = (stateless | matching(IN_MEMORY, known)) - impure - only
    pure |= PURE_OPS.difference(known)
    only |= PIPELINE_ONLY_OPS.difference(known)
    return _MODULE.format(pure=_lines(pure), pipeline=_lines(only))


def matching(patterns: str, known: Iterable[str]) -> Set[str]:
    """The ops that fit one of the patterns.

    Raises:
      ValueError: if a pattern fits none.
    """
    found = {each: fnmatch.filter(known, each) for each in patterns.split()}
    empty = [pattern for pattern, fitting in found.items() if not fitting]
    if empty:
        raise ValueError(f'No op fits {", ".join(empty)}.')
    return {name for fitting in found.values() for name in fitting}


def _lines(found: Iterable[str]) -> str:
    lines: List[str] = textwrap.wrap(' '.join(sorted(found)), 79)
    ends = [' '] * (len(lines) - 1) + ['']
    return '\n'.join(f"    '{line}{end}'" for line, end in zip(lines, ends))


if __name__ == '__main__':
    TARGET.write_text(module(), encoding='utf-8')
