"""Imports go down the floors of the house, and no private TensorFlow is used."""

from __future__ import annotations

import ast
import pathlib
import re
from typing import Dict, Iterator, List, NamedTuple, Optional, Set

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent

FLOORS = {
    'bounds': 0,
    'children': 0,
    'clock': 0,
    'errors': 0,
    'names': 0,
    'notes': 0,
    'files': 0,
    'losses': 0,
    'npz': 0,
    'optimizer_names': 0,
    'phases': 0,
    'shapes': 0,
    'typed': 0,
    'versions': 0,
    'graph': 1,
    'ckpt': 1,
    'algebra': 1,
    'data': 1,
    'channels': 2,
    'sessions': 2,
    'criteria': 2,
    'plan': 3,
    'plan_json': 4,
    'choosing': 4,
    'surgery': 4,
    'report': 5,
    'scoring': 5,
    'export': 5,
    'training': 6,
    'models': 6,
    'recovery': 6,
    'sampling': 6,
    'cluster': 7,
    'steps': 7,
    'studies': 8,
    'api': 8,
    'facade': 9,
    'schedules': 9,
    '__init__': 10,
    'cli': 11,
}
# Floors inside a room: package below tf1pruning -> packages that it may not import.
ABOVE = {
    'graph': ('graph.meta_graphs', 'graph.inference', 'graph.frozen'),
    'graph.meta_graphs': ('graph.inference', 'graph.frozen'),
    'graph.inference': ('graph.frozen',),
}
# Modules of channels/ that both interpretations of the graph stand on.
BELOW_TRACE = ('labels', 'values', 'registry', 'families', 'layout', 'trace_result')
ABOVE_THEM = (
    'trace',
    'rules',
    'groups',
    'blocks',
    'select',
    'constants',
    'constant_rules',
)


class Import(NamedTuple):
    """`import module` or `from module import name`; `alias` is what follows `as`."""

    module: str
    name: Optional[str]
    alias: Optional[str]

    @property
    def path(self) -> List[str]:
        parts = self.module.split('.')
        return parts + [self.name] if self.name else parts


def imports(source: str) -> Iterator[Import]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, None, alias.asname)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                module = '.' * node.level + (node.module or '')
                yield Import(module, alias.name, alias.asname)


def room(path: List[str]) -> str:
    """The floor plan's name of a dotted path below tf1pruning."""
    inner = path[1] if len(path) > 1 else '__init__'
    # `from tf1pruning import Pruning` takes a name of the package itself.
    return inner if inner in FLOORS else '__init__'


def floor_problems(module: str, source: str) -> List[str]:
    """What is wrong with the tf1pruning imports of one of its modules."""
    here = room(module.split('.'))
    found = []
    for entry in imports(source):
        if entry.module.startswith('.'):
            found.append(f'{module} imports relative {entry.module}')
        if entry.path[0] == 'demo':
            found.append(f'{module} imports the demo')
        if entry.path[0] != 'tf1pruning':
            continue
        there = room(entry.path)
        if there != here and not _lies_below(there, here):
            found.append(f'{module} imports {there}')
        elif _goes_up_inside(module, entry):
            found.append(f'{module} imports {".".join(entry.path)}')
    return found


def _lies_below(there: str, here: str) -> bool:
    return FLOORS[there] < FLOORS[here] or FLOORS[there] == FLOORS[here] == 0


def _goes_up_inside(module: str, entry: Import) -> bool:
    """Whether an import goes up inside a room."""
    package = '.'.join(module.split('.')[1:-1])
    target = '.'.join(entry.path[1:])
    above = ABOVE.get(package, ())
    if any(f'{target}.'.startswith(f'{other}.') for other in above):
        return True
    own = [f'tf1pruning.channels.{name}' for name in BELOW_TRACE]
    if module not in own or entry.path[:2] != ['tf1pruning', 'channels']:
        return False
    return entry.path[2:] == [] or entry.path[2] in ABOVE_THEM


def cycles(graph: Dict[str, Set[str]]) -> Set[str]:
    """The modules from which an import leads back to themselves."""
    left = dict(graph)
    while True:
        leaves = {
            module for module, imported in left.items() if not imported & set(left)
        }
        if not leaves:
            return set(left)
        left = {
            module: imported
            for module, imported in left.items()
            if module not in leaves
        }


def tensorflow_problems(module: str, source: str) -> List[str]:
    """Imports of TensorFlow in another form than those that the house allows."""
    found = []
    for entry in imports(source):
        if not entry.path[0].startswith('tensorflow'):
            continue
        allowed = entry == Import('tensorflow.compat.v1', None, 'tf')
        # It runs under TensorFlow 2 alone, and writes what only that can.
        allowed |= module == 'scripts.tf2_files'
        if not allowed and entry.path[:2] != ['tensorflow', 'core']:
            found.append(f'{module} imports {".".join(entry.path)}')
    return found


def library_modules() -> Iterator[pathlib.Path]:
    return iter(sorted((ROOT / 'tf1pruning').rglob('*.py')))


def python_files() -> Iterator[pathlib.Path]:
    yield from sorted(ROOT.glob('*.py'))
    for folder in (
        'tf1pruning',
        'demo',
        'examples',
        'tools',
        'tests',
        'benchmarks',
        'scripts',
    ):
        yield from sorted((ROOT / folder).rglob('*.py'))


def dotted(path: pathlib.Path) -> str:
    return '.'.join(path.relative_to(ROOT).with_suffix('').parts)


def test_imports_only_go_down_the_floors():
    found = [
        problem
        for path in library_modules()
        for problem in floor_problems(dotted(path), path.read_text('utf-8'))
    ]

    assert found == []


def test_no_imports_go_round_in_a_circle():
    sources = {dotted(path): path.read_text('utf-8') for path in library_modules()}
    # The face of a room names what lies in it.
    modules = {name for name in sources if not name.endswith('__init__')}
    graph = {
        module: {
            target
            for entry in imports(sources[module])
            for target in (entry.module, '.'.join(entry.path))
            if target in modules
        }
        for module in modules
    }

    assert len(graph) > 100
    assert cycles(graph) == set()
    assert cycles({'a': {'b'}, 'b': {'a'}, 'c': {'a'}}) == {'a', 'b', 'c'}


def test_every_room_is_on_the_floor_plan():
    package = ROOT / 'tf1pruning'
    rooms = {p.stem for p in package.iterdir() if p.suffix == '.py'}
    rooms |= {p.parent.name for p in package.glob('*/__init__.py')}

    assert rooms == set(FLOORS)


def test_tensorflow_is_only_imported_by_its_public_compat_name():
    found = [
        problem
        for path in python_files()
        for problem in tensorflow_problems(dotted(path), path.read_text('utf-8'))
    ]

    assert found == []


@pytest.mark.parametrize(
    ('module', 'line'),
    [
        ('tf1pruning.names', 'from tf1pruning import plan'),
        ('tf1pruning.graph.view', 'from tf1pruning.ckpt import checkpoint'),
        ('tf1pruning.graph.view', 'import tf1pruning.ckpt.checkpoint'),
        ('tf1pruning.ckpt.slots', 'from tf1pruning.graph.view import GraphView'),
        ('tf1pruning.criteria.weights', 'from tf1pruning.channels import groups'),
        ('tf1pruning.channels.groups', 'from tf1pruning.criteria import weights'),
        ('tf1pruning.channels.labels', 'from tf1pruning.channels import trace'),
        ('tf1pruning.channels.values', 'from tf1pruning.channels.trace import Op'),
        ('tf1pruning.plan', 'from tf1pruning import surgery'),
        ('tf1pruning.report.cost', 'from tf1pruning.training import progress'),
        ('tf1pruning.surgery.soft', 'from demo.training import trainer'),
        ('tf1pruning.surgery.soft', 'from tf1pruning import Pruning'),
        (
            'tf1pruning.channels.rules.shapes',
            'def f():\n  import tf1pruning.facade.pruning',
        ),
        ('tf1pruning.names', 'from . import errors'),
        ('tf1pruning.graph.view', 'from tf1pruning.graph.frozen import freeze'),
        ('tf1pruning.graph.model', 'from tf1pruning.graph.inference.flags import x'),
        ('tf1pruning.graph.view', 'from tf1pruning.graph.meta_graphs import checking'),
        ('tf1pruning.graph.inference.flags', 'from tf1pruning.graph import frozen'),
        ('tf1pruning.steps.ranking', 'from tf1pruning import api'),
    ],
)
def test_an_import_that_goes_up_is_found(module, line):
    assert len(floor_problems(module, line)) == 1


@pytest.mark.parametrize(
    ('module', 'line'),
    [
        ('tf1pruning.files', 'from tf1pruning.errors import OutputError'),
        ('tf1pruning.plan', 'from tf1pruning import files, names'),
        ('tf1pruning.channels.trace', 'from tf1pruning.channels import values'),
        ('tf1pruning.channels.values', 'from tf1pruning.channels.labels import FIXED'),
        ('tf1pruning.graph.frozen.freeze', 'from tf1pruning.graph import view'),
        (
            'tf1pruning.graph.inference.flags',
            'from tf1pruning.graph import meta_graphs',
        ),
        ('tf1pruning.graph.frozen.freeze', 'from tf1pruning.graph.inference import x'),
        ('tf1pruning.__init__', 'from tf1pruning.facade.pruning import Pruning'),
    ],
)
def test_an_import_that_goes_down_is_fine(module, line):
    assert floor_problems(module, line) == []


@pytest.mark.parametrize(
    'line',
    [
        'import tensorflow as tf',
        'import tensorflow.compat.v1',
        'import tensorflow.contrib.slim as slim',
        'from tensorflow import contrib',
        'from tensorflow.python.ops import array_ops',
        'from tensorflow.compat.v1 import _private',
        'from tensorflow_core.python import tf2',
    ],
)
def test_a_private_tensorflow_import_is_found(line):
    assert len(tensorflow_problems('tests.made_up', line)) == 1


@pytest.mark.parametrize(
    'line',
    [
        'import tensorflow.compat.v1 as tf',
        'from tensorflow.core.framework import graph_pb2',
        'from tensorflow.core.protobuf import saver_pb2',
    ],
)
def test_a_public_tensorflow_import_is_fine(line):
    assert tensorflow_problems('tests.made_up', line) == []


def test_one_module_opens_the_sessions_that_run_graphs_of_users():
    found = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / 'tf1pruning').rglob('*.py')
        if re.search(r'\btf\.(Interactive)?Session\(', path.read_text())
    }

    # The writer's own graph holds nothing but an op that saves.
    assert found == {'tf1pruning/sessions.py', 'tf1pruning/ckpt/writer.py'}


# They look at the head of many files, or go through a large one.
READERS = {'tf1pruning.files', 'tf1pruning.data.folders', 'tf1pruning.data.records'}


def opens_to_read(source: str) -> bool:
    """Whether Python code opens a file by itself other than to write it."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    opened = [node for node in calls if getattr(node.func, 'id', '') == 'open']
    modes = [[getattr(arg, 's', '') for arg in node.args[1:2]] for node in opened]
    return any(mode != ['wb'] for mode in modes)


def test_files_are_read_in_one_place():
    reading = {
        dotted(path)
        for path in library_modules()
        if opens_to_read(path.read_text('utf-8'))
    }

    assert reading == READERS


@pytest.mark.parametrize('call', ["open('x')", "open('x', 'rb')", "open(x, mode='w')"])
def test_a_file_that_is_opened_to_be_read_is_found(call):
    assert opens_to_read(f'with {call} as file:\n  pass')
    assert not opens_to_read("open('x', 'wb')\narchive.open('x')")
