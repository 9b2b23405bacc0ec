"""Batches to score a model on: arrays, an `input_fn`, or the model's own pipeline.

A batch maps the name of an input to its array. The names are those of the placeholders
of what runs, or of the tensors of the input pipeline (`IteratorGetNext:0`).
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
)

import numpy as np
import tensorflow.compat.v1 as tf

from tf1pruning import names, npz, sessions, typed
from tf1pruning.errors import DataError, GraphError, OptionError, first_line
from tf1pruning.graph import importing, nodes, pipelines
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.inference_graph import InferenceGraph
from tf1pruning.graph.meta_graphs import meta_graph as meta_graph_lib
from tf1pruning.sessions import DEFAULT_SECONDS, RunLimits, Session

# The option that takes data from a file.
_DATA = ('data',)

# Of what the caller's own function builds.
_OWN = RunLimits(allow_unsafe=True, seconds=DEFAULT_SECONDS)

Batch = Mapping[str, np.ndarray]
InputFn = Callable[[], Any]


@typed.checked
@dataclasses.dataclass(frozen=True)
class Batches:
    """Batches that can be read more than once.

    Attributes:
      start: gives a new iterable of them.
      count: how many there are, if that is known.
    """

    start: Callable[[], Iterable[Batch]]
    count: Optional[int] = None

    @classmethod
    @typed.checked
    def of_arrays(
        cls, arrays: Mapping[str, np.ndarray], size: int, count: Optional[int] = None
    ) -> Batches:
        """Arrays of the same length, cut into batches in their order.

        Args:
          arrays: input -> `[examples, ...]`.
          size: of a batch; the last may be smaller.
          count: the most batches; None: all.

        Raises:
          DataError: if the lengths differ or are 0.
          OptionError: if `size` or `count` is below 1.
        """
        length = _length(arrays)
        _check_positive('batch size', size)
        _check_positive('number of batches', count)
        starts = range(0, length, size)[:count]
        return cls(
            lambda: ({k: a[s : s + size] for k, a in arrays.items()} for s in starts),
            len(starts),
        )

    @classmethod
    @typed.checked
    def by_class(
        cls,
        arrays: Mapping[str, np.ndarray],
        labels: str,
        per_class: int,
        seed: int = 0,
    ) -> Batches:
        """One batch per class, as for GraSP, with the same number of examples.

        Args:
          arrays: input -> `[examples, ...]`.
          labels: the input that holds classes: integers `[examples]`, or one-hot
            `[examples, classes]`.
          per_class: examples of each class, drawn without replacement.
          seed: of the draw.

        Raises:
          DataError: if a class has fewer examples, or there are no such labels.
          OptionError: if `per_class` is below 1.
        """
        _length(arrays)
        _check_positive('number of examples per class', per_class)
        if labels not in arrays:
            raise DataError(
                f'There are no labels {labels!r} in the data. '
                f'{names.did_you_mean(labels, arrays)}'
            )
        classes = arrays[labels]
        classes = classes.argmax(axis=1) if classes.ndim == 2 else classes
        found, counts = np.unique(classes, return_counts=True)
        few = [f'{c} ({n})' for c, n in zip(found, counts) if n < per_class]
        if few:
            raise DataError(
                f'{per_class} examples of each class are asked for, and some classes '
                f'have fewer: {", ".join(few)}.'
            )
        generator = np.random.RandomState(seed)
        chosen = [
            generator.choice(np.flatnonzero(classes == c), per_class, replace=False)
            for c in found
        ]
        return cls(
            lambda: ({k: a[rows] for k, a in arrays.items()} for rows in chosen),
            len(chosen),
        )

    @classmethod
    @typed.checked
    def of_input_fn(
        cls,
        input_fn: InputFn,
        inputs: Sequence[str] = (),
        count: Optional[int] = None,
    ) -> Batches:
        """What an `input_fn` gives.

        Args:
          input_fn: gives a `tf.data.Dataset`, tensors (as for an Estimator), or an
            iterable of batches; called for each pass.
          inputs: the inputs that the tensors of the dataset are for, in the order in
            which `tf.nest.flatten` gives them; an iterable of batches has names.
          count: the most batches; None: until the data ends.

        Raises:
          OptionError: if `count` is below 1.
          DataError: later, when they are read, if the number of tensors is not that of
            the inputs, or the data cannot be read.
        """
        _check_positive('number of batches', count)

        def start() -> Iterator[Batch]:
            with tf.Graph().as_default() as graph:
                found = input_fn()
                if isinstance(found, tf.data.Dataset) or _holds_tensors(found):
                    tensors, initializer = _tensors(found)
                    session = Session(graph, _OWN, optimize=True)
                    return _run(session, _named(inputs, tensors), [initializer], count)
            return itertools.islice(found, count)

        return cls(start, count)


def signature_of(input_fn: InputFn) -> Tuple[Any, Any]:
    """Nested types and shapes of what an `input_fn` gives.

    Raises:
      DataError: if it gives neither a dataset nor tensors.
    """
    with tf.Graph().as_default():
        found = input_fn()
        if isinstance(found, tf.data.Dataset):
            types = tf.data.get_output_types(found)
            return types, tf.data.get_output_shapes(found)
        if not all(isinstance(item, tf.Tensor) for item in tf.nest.flatten(found)):
            raise DataError(
                f'The input_fn gives {type(found).__name__}; expected a '
                'tf.data.Dataset, or tensors.'
            )
        types = tf.nest.map_structure(lambda tensor: tensor.dtype, found)
        return types, tf.nest.map_structure(lambda tensor: tensor.shape, found)


def content(array: np.ndarray) -> bytes:
    """Equal for equal arrays of one shape and type, text too, in every process."""
    is_text = array.dtype.kind in 'OU'
    return repr(array.tolist()).encode() if is_text else array.tobytes()


def read_arrays(path: str, inputs: Mapping[str, str]) -> Dict[str, np.ndarray]:
    """The arrays of an `.npz` file.

    Args:
      path: of the file.
      inputs: name in the file -> input; others keep their name.

    Raises:
      DataError: if the file is missing or damaged, or lacks one of the names.
    """
    arrays = npz.read(path)
    missing = [name for name in inputs if name not in arrays]
    if missing:
        raise DataError(
            f'Data file {path!r} lacks {names.quoted(missing)}; it has '
            f'{names.quoted(list(arrays))}.'
        )
    return {inputs.get(name, name): array for name, array in arrays.items()}


def of_pipeline(
    meta_graph: tf.MetaGraphDef,
    graph: InferenceGraph,
    pipeline: Mapping[str, str],
    count: Optional[int] = None,
    limits: RunLimits = sessions.STRICT,
) -> Batches:
    """What the input pipeline of the training graph gives.

    Its iterators and tables are initialized before the first batch.

    Args:
      meta_graph: of training.
      graph: that was derived from it, of a network or a loss.
      pipeline: placeholder of that graph -> tensor of the pipeline that it replaces.
      count: the most batches; None: until the data ends, if it does.
      limits: of the runs.

    Raises:
      DataError: if there is no pipeline, or one that can be started in several ways;
        later, when the batches are read, if it fails.
      GraphError: if the pipeline does more than to read files.
      OptionError: if `count` is below 1.
    """
    _check_positive('number of batches', count)
    inputs = names.quoted(graph.inputs)
    advice = f' Give data of your own, for the inputs {inputs}.'
    starting = _initializers(meta_graph, pipeline, advice)
    tables = meta_graph_lib.members(meta_graph, tf.GraphKeys.TABLE_INITIALIZERS)
    reached = [*pipeline.values(), *tables, *starting]
    sessions.check_pipeline(meta_graph.graph_def, reached, limits)

    def start() -> Iterator[Batch]:
        part = importing.import_graph(_part(meta_graph.graph_def, reached))
        tensors = {
            placeholder: part.get_tensor_by_name(str(names.parse_tensor(tensor)))
            for placeholder, tensor in pipeline.items()
        }
        first = [part.get_operation_by_name(n) for n in (*tables, *starting)]
        session = Session(part, limits, optimize=True)
        return _run(session, tensors, first, count, advice)

    return Batches(start, count)


def _part(graph_def: tf.GraphDef, reached: Sequence[str]) -> tf.GraphDef:
    """What a pipeline needs of a graph, on any device."""
    starts = [names.node_name(name) for name in reached]
    needed = view_lib.GraphView(graph_def).before(starts, control=True)
    part = nodes.with_nodes(graph_def, needed)
    for node in part.node:
        node.device = ''
    return part


def _initializers(
    meta_graph: tf.MetaGraphDef, pipeline: Mapping[str, str], advice: str
) -> Sequence[str]:
    """Ops that start a pipeline."""
    view = view_lib.GraphView(meta_graph.graph_def)
    ends = [names.node_name(tensor) for tensor in pipeline.values()]
    if not ends or any(name not in view for name in ends):
        raise DataError(
            f'The training graph has no input pipeline.{advice}', options=_DATA
        )
    try:
        return pipelines.initializers(view, ends)
    except GraphError as error:
        raise DataError(f'{error}{advice}', options=_DATA) from error


def _run(
    session: Session,
    tensors: Mapping[str, tf.Tensor],
    initializers: Sequence[tf.Operation],
    count: Optional[int],
    advice: str = '',
) -> Iterator[Batch]:
    # Not in a `with`: that would make the session the default one of whoever takes the
    # batches, for as long as they last.
    try:
        for initializer in initializers:
            session.run(initializer)
        for _ in itertools.count() if count is None else range(count):
            yield session.run(dict(tensors))
    except tf.errors.OutOfRangeError:
        return
    except tf.errors.OpError as error:
        raise DataError(
            f'The input pipeline fails: {first_line(error)}.{advice}',
            options=_DATA if advice else (),
        ) from error
    finally:
        session.close()


def _holds_tensors(found: Any) -> bool:
    return isinstance(found, (tuple, dict, tf.Tensor)) and all(
        isinstance(item, tf.Tensor) for item in tf.nest.flatten(found)
    )


def _tensors(found: Any) -> Tuple[List[tf.Tensor], tf.Operation]:
    """Tensors of a dataset or a nest, and what initializes them."""
    if not isinstance(found, tf.data.Dataset):
        return tf.nest.flatten(found), tf.tables_initializer()
    iterator = tf.data.make_initializable_iterator(found)
    return tf.nest.flatten(iterator.get_next()), iterator.initializer


def _named(inputs: Sequence[str], tensors: Sequence[tf.Tensor]) -> Dict[str, tf.Tensor]:
    if len(inputs) != len(tensors):
        raise DataError(
            f'The input_fn gives {len(tensors)} tensors and {len(inputs)} inputs are '
            f'named: {names.quoted(list(inputs))}. Name one for each.'
        )
    return dict(zip(inputs, tensors))


def _length(arrays: Mapping[str, np.ndarray]) -> int:
    lengths = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
    if len(set(lengths.values())) != 1 or not all(lengths.values()):
        raise DataError(
            f'The arrays of the data have {lengths} examples; expected one number '
            'above 0 for all.'
        )
    return next(iter(lengths.values()))


def _check_positive(what: str, value: Optional[int]) -> None:
    if value is not None and value < 1:
        raise OptionError(f'The {what} is {value}; expected at least 1.')
