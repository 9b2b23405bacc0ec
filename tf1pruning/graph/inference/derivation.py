"""Training graph -> inference graph.

What becomes of the meta graph that a training leaves, given the output nodes:

- the input pipeline becomes placeholders (`input`, `input_1` ...), or the graph is cut
  at the tensors that the caller names;
- batch norm in training mode, fused or not, uses its moving statistics, which are found
  by data flow: from the batch statistics forward to the assignment that updates a
  variable;
- functions are put in the place of their calls;
- conditionals that a training flag decides take their inference branch, and those of
  a flag with a constant default that branch;
- the delay of quantization-aware training is over;
- dropout goes, and so do ops that only print or check;
- everything the outputs do not need goes.

Random numbers that are no dropout stay. What cannot be turned into inference is an
error that names the node.
"""

from __future__ import annotations

from typing import (
    Any,
    Collection,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    Set,
)

import tensorflow.compat.v1 as tf

from tf1pruning import names
from tf1pruning.errors import GraphError
from tf1pruning.graph import draws, inlining, nodes, pipelines, walk
from tf1pruning.graph import inference_graph as graph_lib
from tf1pruning.graph import view as view_lib
from tf1pruning.graph.inference import (
    assignments,
    batch_norm,
    conditionals,
    dropout,
    quantization,
    refusals,
)
from tf1pruning.names import TensorRef

# They only show, or check, what they hand on.
PASSING_OPS = ('CheckNumerics', 'Print')
DEFAULT_INPUT = 'input'

InputMap = Mapping[str, Any]


def derive(
    meta_graph: tf.MetaGraphDef,
    outputs: Sequence[str],
    input_map: Optional[InputMap] = None,
    strict: bool = True,
    keep: Collection[str] = (),
) -> graph_lib.InferenceGraph:
    """The inference graph of `meta_graph` that ends in `outputs`.

    Args:
      meta_graph: of a training or an inference graph; not changed.
      outputs: node names.
      input_map: tensor name in the graph -> what replaces it: a placeholder tensor (its
        name, type and shape are taken) or the name for a new placeholder. None: the
        input pipeline is found and replaced.
      strict: refuse batch statistics in a form that is not known. Not needed where the
        graph is only traced, not run.
      keep: what stays as it is, some of `inference_graph.KINDS`.

    Returns:
      An `InferenceGraph` whose nodes keep their names.

    Raises:
      GraphError: on unknown names, or a node that only works in training.
    """
    _check_present(meta_graph.graph_def, outputs)
    inlined = inlining.inline(meta_graph.graph_def)
    trained, counters = quantization.without_delay(_cut(inlined, input_map))
    decided, flags = conditionals.without_conditionals(
        trained, outputs, _is_training_only, decides=graph_lib.FLAGS not in keep
    )
    view = view_lib.GraphView(decided)
    rewriter = Rewriter(view, keep, _renamed(inlined, input_map))
    visited = rewriter.run(outputs)
    refusals.refuse_calls(inlined.refused, visited)
    refusals.refuse_loops(view, visited)
    assignments.refuse(view, visited)
    if strict and graph_lib.BATCH_NORM not in keep:
        batch_norm.check_none_left(view, visited)
    return graph_lib.build(
        rewriter.result(map(names.node_name, outputs)),
        tuple(outputs),
        meta_graph,
        (*counters, *flags),
        rewriter.converted(),
    )


def _check_present(graph_def: tf.GraphDef, outputs: Sequence[str]) -> None:
    present = {node.name: None for node in graph_def.node}
    missing = [
        f'Output node {name!r} is not in the graph. {names.did_you_mean(name, present)}'
        for name in outputs
        if name not in present
    ]
    if missing:
        raise GraphError(f'{" ".join(missing)} Name the output nodes of the network.')


def _renamed(
    inlined: inlining.Inlined, input_map: Optional[InputMap]
) -> Dict[str, str]:
    """Tensor of the graph without functions -> the new input in its place."""
    return {
        inlined.renamed(key): names.node_name(str(getattr(new, 'name', new)))
        for key, new in (input_map or {}).items()
    }


def _cut(inlined: inlining.Inlined, input_map: Optional[InputMap]) -> tf.GraphDef:
    """The graph with the new inputs, while every tensor still has the user's name."""
    if not input_map:
        return inlined.graph_def
    rewriter = Rewriter(view_lib.GraphView(inlined.graph_def))
    rewriter.cut_at({inlined.renamed(key): new for key, new in input_map.items()})
    return rewriter.result()


class Rewriter:
    """Collects replaced nodes and redirected tensors, then applies them in one pass.

    Args:
      view: of the graph.
      keep: what stays as it is, some of `inference_graph.KINDS`.
      inputs: tensors that placeholders have replaced already.
    """

    def __init__(
        self,
        view: view_lib.GraphView,
        keep: Collection[str] = (),
        inputs: Optional[Mapping[str, str]] = None,
    ):
        self._view = view
        self._keep = tuple(kind for kind in graph_lib.KINDS if kind in keep)
        self._statistics: Set[str] = set()
        self._dropouts: List[str] = []
        self._inputs = dict(inputs or {})
        self._off: Dict[str, float] = {}
        self._replaced: Dict[str, tf.NodeDef] = {}
        self._redirected: Dict[TensorRef, str] = {}
        self._added: List[tf.NodeDef] = []
        self._names = {node.name for node in view}

    def cut_at(self, input_map: InputMap) -> None:
        """Puts a placeholder in the place of each named tensor."""
        for key, value in input_map.items():
            ref = names.parse_tensor(key)
            self._view.node(ref.node)
            self._put(ref, self._named(ref, value))

    def _named(self, ref: TensorRef, value: Any) -> tf.NodeDef:
        """The placeholder that an input map asks for in the place of a tensor."""
        if isinstance(value, str):
            name = names.node_name(value)
            return placeholder(name, self._view.dtype(ref), self._view.shape(ref))
        try:
            shape = view_lib.shape_from_proto(value.shape.as_proto())
            name = names.node_name(value.name)
            return placeholder(name, tf.as_dtype(value.dtype), shape)
        except AttributeError:
            raise GraphError(
                f'Input {str(ref)!r} is mapped to {value!r}. Expected a placeholder '
                'tensor or the name of a new placeholder.'
            ) from None

    def _put(self, ref: TensorRef, node: tf.NodeDef) -> None:
        """Puts a placeholder in the place of a tensor."""
        name = node.name
        if name == ref.node:
            self._replaced[name] = node
            return
        self._redirected[ref] = name
        self._names.add(name)
        if name not in self._view:
            if all(added.name != name for added in self._added):
                self._added.append(node)
        elif self._view.node(name).op in nodes.INPUT_OPS:
            self._replaced[name] = node
        else:
            raise GraphError(
                f'The new input {name!r} has the name of another node of the graph. '
                'Choose a different name for the placeholder.'
            )

    def run(self, outputs: Sequence[str]) -> Set[str]:
        """Walks back from the outputs and replaces what only works in training.

        The first input of each node comes first, so that of several pipeline tensors
        the one that the network reads first becomes `input`.

        Returns:
          Names of the nodes that the outputs still need.
        """

        def needed(name: str) -> List[str]:
            refs = self._inputs_after_rewrite(self._view.node(name))
            left = (ref.node for ref in refs if ref not in self._redirected)
            return [each for each in left if self._is_original(each)]

        return set(walk.reached((names.node_name(name) for name in outputs), needed))

    def _is_original(self, name: str) -> bool:
        return name in self._view and name not in self._replaced

    def _inputs_after_rewrite(self, node: tf.NodeDef) -> Sequence[TensorRef]:
        if pipelines.is_pipeline(self._view, node):
            raise GraphError(
                f'Output {node.name!r} is itself part of the input pipeline. '
                'Name an output node of the network.'
            )
        keeps_batch = graph_lib.BATCH_NORM in self._keep
        if batch_norm.is_training(node) and not keeps_batch:
            node = self._inference_batch_norm(node)
        kept = self._without_dropout(node)
        if node.op in PASSING_OPS:
            kept = view_lib.data_inputs(node)[0]
        if kept is not None:
            node = view_lib.as_identity(node, kept)
            self._replaced[node.name] = node
        refs = self._view.refs(node)
        for ref in refs:
            self._replace_pipeline(ref)
            if not keeps_batch:
                self._replace_batch_moment(ref)
            variable = assignments.range_variable(self._view, node, ref)
            if variable is not None:
                self._redirected[ref] = self._average(variable)
        return refs

    def _without_dropout(self, node: tf.NodeDef) -> Optional[TensorRef]:
        """What a node gives without the dropout that it ends; None if it ends none."""
        if graph_lib.DROPOUT in self._keep:
            return None
        found = dropout.ending_in(self._view, node)
        if found is None:
            return None
        self._dropouts.append(node.name)
        self._off.update(found.off)
        return found.input

    def converted(self) -> graph_lib.Converted:
        """What was converted, in graph order."""
        return graph_lib.Converted(
            tuple(n.name for n in self._view if n.name in self._statistics),
            tuple(self._dropouts),
            self._keep,
            self._inputs,
            self._off,
        )

    def _replace_pipeline(self, ref: TensorRef) -> None:
        if ref in self._redirected or not self._is_original(ref.node):
            return
        if pipelines.ends_pipeline(self._view, ref.node):
            name = names.claim(DEFAULT_INPUT, self._names)
            self._inputs[str(ref)] = name
            self._put(ref, self._named(ref, name))

    def _replace_batch_moment(self, ref: TensorRef) -> None:
        """Batch norm that is not fused: a moving average for a mean over the batch."""
        if ref not in self._redirected and self._is_original(ref.node):
            variable = batch_norm.average_of(self._view, ref)
            if variable is not None:
                self._redirected[ref] = self._shaped_like(ref, variable)

    def _shaped_like(self, ref: TensorRef, variable: str) -> str:
        """The value of an average, in the shape of a moment that keeps dimensions."""
        read = self._average(variable)
        wanted = self._view.shape(ref)
        proto = view_lib.attribute(self._view.node(variable), 'shape').shape
        if wanted == view_lib.shape_from_proto(proto):
            return read
        if wanted is None or None in wanted:
            raise GraphError(
                f'The batch statistic {str(ref)!r} has the shape {wanted}; expected '
                f'one that is known, as its average {variable!r} must get it. Give the '
                'inference meta graph instead of the training one.'
            )
        base = names.claim(f'{ref.node}/average', self._names)
        sizes = nodes.constant(f'{base}/shape', list(wanted), tf.int32)
        inputs = [read, sizes.name]
        reshaped = nodes.make_node(base, 'Reshape', inputs, Tshape=tf.int32)
        reshaped.attr['T'].CopyFrom(self._view.node(variable).attr['dtype'])
        self._added += [sizes, reshaped]
        return base

    def _inference_batch_norm(self, node: tf.NodeDef) -> tf.NodeDef:
        new = nodes.copied(node)
        new.attr['is_training'].b = False
        for position, output in ((3, 1), (4, 2)):
            variable = batch_norm.moving_statistic(self._view, node, output)
            new.input[position] = self._average(variable)
        self._replaced[node.name] = new
        return new

    def _average(self, variable: str) -> str:
        """A tensor with the value of an average, which is counted."""
        self._statistics.add(variable)
        return self._read(variable)

    def _read(self, variable: str) -> str:
        """A tensor with the value of the variable, made where the graph has none."""
        node = self._view.node(variable)
        is_resource = node.op == 'VarHandleOp'
        for edge in self._view.consumers(variable):
            if edge.node.op == ('ReadVariableOp' if is_resource else 'Identity'):
                return edge.node.name
        if not is_resource:
            return variable
        name, dtype = f'{variable}/Read/ReadVariableOp', node.attr['dtype'].type
        read = nodes.make_node(name, 'ReadVariableOp', [variable])
        read.attr['dtype'].type = dtype
        self._added.append(read)
        return name

    def result(self, targets: Iterable[str] = ()) -> tf.GraphDef:
        """The rewritten graph.

        Args:
          targets: nodes that matter: what lies before none of them, such as the
            gradients of a training, may be left out. None: all is kept.
        """
        source = self._view.graph_def
        if not (self._replaced or self._added or self._redirected):
            return source
        kept = [self._replaced.get(n.name, n) for n in self._left(targets)]
        graph_def = nodes.with_nodes(source, [*kept, *self._added])
        if self._redirected:
            for node in graph_def.node:
                self._redirect(node)
        return graph_def

    def _left(self, targets: Iterable[str]) -> Iterable[tf.NodeDef]:
        """The nodes before targets, or before what is read in the place of others."""
        starts = [*targets]
        if not starts:
            return self._view
        new = [*self._replaced.values(), *self._added]
        starts += [name for node in new for name in view_lib.input_names(node)]
        starts += [*self._replaced, *self._redirected.values()]
        known = [name for name in map(names.node_name, starts) if name in self._view]
        before = {node.name for node in self._view.before(known, control=True)}
        return [node for node in self._view if node.name in before]

    def _redirect(self, node: tf.NodeDef) -> None:
        for position, name in enumerate(nodes.data_names(node)):
            new = self._redirected.get(names.parse_tensor(name))
            if new is not None and new != node.name:
                node.input[position] = new


def _is_training_only(view: view_lib.GraphView, node: tf.NodeDef) -> bool:
    return (
        draws.is_random(node)
        or batch_norm.is_training(node)
        or batch_norm.is_averaged(view, node.name)
    )


def placeholder(
    name: str, dtype: tf.DType, shape: Optional[view_lib.Shape]
) -> tf.NodeDef:
    """A Placeholder node; `shape` None means unknown rank."""
    node = nodes.make_node(name, 'Placeholder', dtype=dtype)
    proto = tf.TensorShape(shape).as_proto()
    node.attr['shape'].shape.CopyFrom(proto)
    node.attr[nodes.OUTPUT_SHAPES].list.shape.add().CopyFrom(proto)
    return node
