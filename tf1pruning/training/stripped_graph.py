"""Rebuilds a stripped network inside a model function, from its training meta graph.

    def model_fn(features, labels, mode):
        training = mode == tf.estimator.ModeKeys.TRAIN
        logits = import_stripped('training.meta', features, training)['output']
        ...  # Your loss and your optimizer.

`Pruning.get_strip_ckpt` writes `Stripped_Dir/training.meta`.
"""

from __future__ import annotations

from typing import Collection, Dict, Mapping, Sequence, Union

import tensorflow.compat.v1 as tf

from tf1pruning import names, typed
from tf1pruning.errors import GraphError
from tf1pruning.graph.inference import derivation, forward
from tf1pruning.graph.meta_graphs import meta_graph

Features = Union[tf.Tensor, Mapping[str, tf.Tensor]]

_INPUT_SCOPE = 'tf1pruning_input'
_FLAG = 'tf1pruning_flag'
_INPUTS, _OUTPUTS = forward.INPUTS, forward.OUTPUTS


@typed.checked
def import_stripped(
    meta: str, features: Features, training: bool
) -> Dict[str, tf.Tensor]:
    """Builds the stripped network in the default graph.

    Variables join the collections of global and trainable variables. In training so do
    the update ops and the regularization losses theirs. The variables start at zero:
    restore the stripped checkpoint (`warm_start.init_fn`).

    Training flags, such as a placeholder `is_test`, are set to what they are in
    inference, or to the opposite. A flag for which stripping found no such value is an
    input like others. Inputs with a default keep it, unless features name them.

    Args:
      meta: path of the stripped training meta graph.
      features: what the network reads; a dict from input name to tensor, if it has
        several inputs. Those that only the training reads are not used in inference.
      training: whether batch norm uses the batch and dropout drops.

    Returns:
      Output node -> tensor.

    Raises:
      GraphError: if the file is no such meta graph, features do not fit its inputs, the
        default graph has nodes of the same names already, or a strategy is to copy the
        network to several devices.
    """
    if tf.distribute.has_strategy():
        raise GraphError(
            f'{meta!r} cannot be imported under a tf.distribute strategy: imported '
            'variables have no copies on its devices. Build the network with your own '
            'code and the widths of the plan (Plan.layer_widths).'
        )
    graph = meta_graph.read_meta_graph(meta)
    inputs, outputs = (_names(graph, key, meta) for key in (_INPUTS, _OUTPUTS))
    values = _flag_values(graph, training)
    if not training:
        model = derivation.derive(graph, outputs)
        graph = meta_graph.build_meta_graph(model)
    present = {node.name: node for node in graph.graph_def.node}
    flags = {name: value for name, value in values.items() if name in present}
    nodes = [present[n] for n in inputs if n in present and n not in values]
    unread = [name for name in inputs if name not in present]
    fed = {**given_inputs(features, nodes, unread), **_constants(flags, present)}
    graph = _prepared(graph, fed)
    _check_free(graph)
    mapping = {f'{_INPUT_SCOPE}/{name}:0': tensor for name, tensor in fed.items()}
    tf.train.import_meta_graph(graph, clear_devices=True, input_map=mapping)
    found = tf.get_default_graph()
    return {name: found.get_tensor_by_name(f'{name}:0') for name in outputs}


def _flag_values(graph: tf.MetaGraphDef, training: bool) -> Dict[str, bool]:
    """Training flag -> its value; in training it is not that of inference."""
    return {
        name: in_inference != training
        for key, in_inference in (
            (forward.TRUE_FLAGS, True),
            (forward.FALSE_FLAGS, False),
        )
        for name in meta_graph.members(graph, key)
    }


def _names(graph: tf.MetaGraphDef, collection: str, path: str) -> Sequence[str]:
    if collection not in graph.collection_def:
        raise GraphError(
            f'{path!r} is no stripped training meta graph: it has no collection '
            f'{collection!r}. Expected the training.meta that stripping writes.'
        )
    return meta_graph.members(graph, collection)


def given_inputs(
    features: Features, nodes: Sequence[tf.NodeDef], unread: Collection[str]
) -> Dict[str, tf.Tensor]:
    """Input -> tensor.

    Args:
      features: as they are given.
      nodes: the inputs that they are for.
      unread: inputs of the training that do not count.

    Raises:
      GraphError: if they do not fit the inputs.
    """
    wanted = [node.name for node in nodes]
    required = [node.name for node in nodes if node.op == 'Placeholder'] or wanted
    if isinstance(features, Mapping):
        given = {name: features[name] for name in features if name not in unread}
    else:
        given = {required[0]: features} if len(required) == 1 else {}
    if set(required) - set(given) or set(given) - set(wanted):
        raise GraphError(
            f'The network reads {names.quoted(wanted)} and features are given for '
            f'{names.quoted(sorted(given)) or "nothing by name"}. Give a dict from '
            'input name to tensor.'
        )
    return given


def _constants(
    values: Mapping[str, bool], present: Collection[str]
) -> Dict[str, tf.Tensor]:
    """Flag -> constant, under a name that neither graph has."""
    taken = {op.name for op in tf.get_default_graph().get_operations()}.union(present)
    with tf.name_scope(None):
        return {
            flag: tf.constant(value, name=names.claim(_FLAG, taken))
            for flag, value in values.items()
        }


def _prepared(graph: tf.MetaGraphDef, fed: Mapping[str, tf.Tensor]) -> tf.MetaGraphDef:
    """Without saver, and with inputs in a scope of their own, where they are free."""
    result = tf.MetaGraphDef()
    result.CopyFrom(graph)
    saver = graph.saver_def.restore_op_name.partition('/')[0]
    result.ClearField('saver_def')
    result.ClearField('signature_def')
    for collection in (_INPUTS, _OUTPUTS, forward.TRUE_FLAGS, forward.FALSE_FLAGS):
        result.collection_def.pop(collection, None)
    del result.graph_def.node[:]
    for node in graph.graph_def.node:
        if saver and node.name.startswith(f'{saver}/'):
            continue
        copy = result.graph_def.node.add()
        copy.CopyFrom(node)
        if node.name in fed:
            copy.name = f'{_INPUT_SCOPE}/{node.name}'
        for position, name in enumerate(node.input):
            ref = names.parse_tensor(name)
            if ref.node in fed:
                prefix = '^' if names.is_control(name) else ''
                copy.input[position] = f'{prefix}{_INPUT_SCOPE}/{ref.node}'
    return result


def _check_free(graph: tf.MetaGraphDef) -> None:
    taken = {op.name for op in tf.get_default_graph().get_operations()}
    double = [node.name for node in graph.graph_def.node if node.name in taken]
    if double:
        raise GraphError(
            f'The default graph has nodes of the stripped network already: '
            f'{names.quoted(double)}. Import it once, before you build anything of '
            'the same names.'
        )
