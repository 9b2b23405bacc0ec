from __future__ import annotations

import pytest
import tensorflow.compat.v1 as tf

from tf1pruning.channels.registry import Family, Registry, Unsupported
from tf1pruning.errors import GraphError


@pytest.fixture
def registry():
    registry = Registry('label')
    registry.register('Relu', 'Relu6', attributes='T')(rule)
    return registry


def rule():
    return 'called'


def node(op, *attributes):
    made = tf.NodeDef(name='n', op=op)
    for name in attributes:
        made.attr[name].i = 1
    return made


def test_a_family_shares_its_rule(registry):
    assert registry.find(node('Relu6', 'T')) is rule
    assert registry.ops() == {'Relu', 'Relu6'}


def test_a_named_family_is_registered_with_its_attributes(registry):
    family = Family(('Elu', 'Selu'), 'T')

    registry.register_family(family)(rule)

    assert registry.find(node('Selu', 'T')) is rule
    with pytest.raises(Unsupported, match="attribute 'axis' of Elu"):
        registry.find(node('Elu', 'axis'))


def test_an_op_without_a_rule_has_none(registry):
    assert registry.find(node('Conv3D')) is None


def test_a_second_rule_for_an_op_is_refused(registry):
    with pytest.raises(ValueError, match="op 'Relu' has a label rule already"):
        registry.register('Elu', 'Relu')(rule)


def test_an_attribute_that_the_rule_was_not_written_for_is_named(registry):
    with pytest.raises(Unsupported, match="attribute 'axis' of Relu"):
        registry.find(node('Relu', 'T', 'axis'))


def test_a_rule_that_fails_is_a_bug_that_names_op_and_node(registry, caplog):
    registry.register('Cross', attributes='T')(lambda sizes: sizes[3])

    with pytest.raises(Unsupported, match=r'a bug in the rule of Cross \(IndexError: '):
        registry.apply(node('Cross', 'T'), ())

    (record,) = caplog.records
    assert "The label rule of Cross has a bug, found at node 'n'" in record.message


def test_what_a_rule_says_on_purpose_is_no_bug(registry, caplog):
    def refuses(error):
        raise error

    registry.register('Cross', attributes='T')(refuses)

    for error in (Unsupported('two axes'), GraphError('damaged')):
        with pytest.raises(type(error), match=str(error)):
            registry.apply(node('Cross', 'T'), error)
    assert not caplog.records
    with pytest.raises(Unsupported, match='no rule for Conv3D'):
        registry.apply(node('Conv3D'))


def test_attributes_of_the_runtime_do_not_matter(registry):
    assert registry.find(node('Relu', '_class', '_output_shapes')) is rule
