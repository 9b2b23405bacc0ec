"""Samples without labels for a model, from wherever the user has them."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, List, Mapping, Optional, Union

import numpy as np

from tf1pruning import files, names
from tf1pruning.errors import DataError, OptionError
from tf1pruning.models.model import Model
from tf1pruning.notes import Note
from tf1pruning.sampling import (
    arrays,
    features,
    fitting,
    images,
    preparation,
    recorded,
)
from tf1pruning.sampling.options import GRAPH, SampleOptions, Wanted
from tf1pruning.sampling.parts import Samples, Source
from tf1pruning.scoring import batches as batches_lib
from tf1pruning.scoring.batches import Batch, Batches
from tf1pruning.sessions import STRICT, RunLimits

# Examples of a batch, and the bytes of its inputs: fewer examples where they are large.
DEFAULT_BATCH = 32
_BATCH_BYTES = 1 << 23
# Examples of batches that may have no end, or be others in each pass; they are kept.
IN_MEMORY = 512

Data = Union[files.Path, Mapping[str, np.ndarray], Batches, Callable[[], Any]]


def of_model(
    model: Model,
    data: Data,
    options: SampleOptions = SampleOptions(),
    limits: RunLimits = STRICT,
) -> Samples:
    """Samples for the inputs of a model.

    Args:
      model: the model.
      data: an `.npz` file; a folder of images; TFRecords: a file, a folder or a
        pattern; 'graph': the input pipeline of the training graph; an `input_fn`;
        batches; or arrays by input.
      options: how they are read.
      limits: of the runs of an input pipeline.

    Raises:
      DataError: if the data is missing or damaged, or does not fit the inputs; also
        later, where it is read.
      OptionError: on options that are missing, out of range, or for other data.
      GraphError: if an input pipeline does more than to read files.
    """
    graph = model.graph
    wanted = Wanted(fitting.inputs_of(graph), graph.required_inputs, options)
    if isinstance(data, Mapping):
        source = arrays.of_arrays(wanted, data)
    elif isinstance(data, Batches) or callable(data):
        batches = data if isinstance(data, Batches) else features.of_input_fn(data)
        source = arrays.of_arrays(wanted, _gathered(batches, options.count))
    elif os.fspath(data) == GRAPH:
        source = _of_pipeline(wanted, model, limits)
    else:
        source = _of_path(wanted, os.fspath(data))
    return _drawn(source, wanted)


def _drawn(source: Source, wanted: Wanted) -> Samples:
    """Samples of a source, in batches that the network takes."""
    only = fitting.batch_size({name: wanted.inputs[name] for name in wanted.required})
    size = wanted.options.batch_size
    if None not in (size, only) and size != only:
        raise OptionError(
            f'The batch size is {size}, and the network takes batches of {only} only. '
            'Leave it out.',
            options=('batch_size',),
        )
    if size is None:
        size = only or _default_batch(source)
    return Samples.drawn(source, size, only is not None, wanted.options.count)


def _default_batch(source: Source) -> int:
    """How many examples a batch has, by the size of the first one."""
    first = next(iter(source.read(np.zeros(1, np.int64), 1)))
    size = sum(array.nbytes for array in first.values())
    return int(np.clip(_BATCH_BYTES // max(size, 1), 1, DEFAULT_BATCH))


def warnings(model: Model, samples: Samples, limits: RunLimits = STRICT) -> List[Note]:
    """What of samples does not fit the batch norms of a model, see `preparation`.

    Raises:
      DataError: if the model does not run on the samples.
      GraphError: if it is not safe to run.
      CheckpointError: if a weight is damaged, NaN or infinite.
    """
    return preparation.warnings(model.graph, model.arrays(), samples, limits)


def _of_path(wanted: Wanted, path: str) -> Source:
    try:
        files.check_name(path)
    except OSError as error:
        raise DataError(f'{path!r} cannot be read: {files.reason(error)}.') from error
    if path.endswith('.npz'):
        return arrays.of_file(wanted, path)
    if os.path.isdir(path):
        found = images.image_files(path)
        if found:
            return images.of_images(wanted, path, found)
    return recorded.of_records(wanted, recorded.record_files(path))


def _of_pipeline(wanted: Wanted, model: Model, limits: RunLimits) -> Source:
    """The first examples that the pipeline gives, kept: another pass gives others."""
    wanted.check_options('An input pipeline', ())
    graph = model.graph
    replaced = graph.converted.inputs.items()
    pipeline = {name: tensor for tensor, name in replaced if name in graph.inputs}
    batches = batches_lib.of_pipeline(model.meta_graph, graph, pipeline, None, limits)
    missing = [name for name in wanted.required if name not in pipeline]
    if missing:
        raise DataError(
            f'The input pipeline gives nothing for {names.quoted(missing)}. Give data '
            'of your own.',
            options=('data',),
        )
    return arrays.of_arrays(wanted, _gathered(batches, wanted.options.count))


def _gathered(batches: Batches, count: Optional[int]) -> Dict[str, np.ndarray]:
    """Input -> the first examples, `count` of them if there are so many."""
    found: List[Batch] = []
    count = left = IN_MEMORY if count is None else count
    for batch in batches.start():
        found.append(batch)
        left -= max((len(array) for array in batch.values() if array.ndim), default=0)
        if left <= 0:
            break
    if not found:
        raise DataError('The data has no batch.', options=('data',))
    try:
        return {
            name: first
            if not first.ndim
            else np.concatenate([batch[name] for batch in found])[:count]
            for name, first in found[0].items()
        }
    except (KeyError, ValueError) as error:
        raise DataError(
            f'The batches of the data have different shapes or inputs: {error}. Give '
            'data of which all examples have the same.',
            options=('data',),
        ) from error
