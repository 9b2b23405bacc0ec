from __future__ import annotations

import pytest
from tensorflow.core.protobuf import saved_model_pb2

from tf1pruning.errors import GraphError
from tf1pruning.graph.meta_graphs import saved_model


def write(folder, *tags):
    """A SavedModel of graphs of one node each, which has the name of their tag."""
    model = saved_model_pb2.SavedModel()
    for tag in tags:
        graph = model.meta_graphs.add()
        graph.meta_info_def.tags.append(tag)
        graph.graph_def.node.add(name=tag, op='NoOp')
    (folder / saved_model.SAVED_MODEL_FILE).write_bytes(model.SerializeToString())
    return str(folder)


@pytest.mark.parametrize('tag', ['serve', 'train'])
def test_the_graph_with_the_tags_is_read(tag, tmp_path):
    folder = write(tmp_path, 'serve', 'train')

    found = saved_model.read_saved_model(folder, [tag])

    assert [node.name for node in found.graph_def.node] == [tag]


@pytest.mark.parametrize(
    ('held', 'listed'), [((), 'it has no graphs'), (('train',), "it has 'train'")]
)
def test_tags_that_no_graph_has_are_refused(held, listed, tmp_path):
    folder = write(tmp_path, *held)

    with pytest.raises(GraphError, match=f"no graph with the tags 'serve'.*{listed}"):
        saved_model.read_saved_model(folder, ['serve'])
