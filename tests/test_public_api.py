"""What users may import: names, docstrings, and that documents name nothing else."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import pathlib
import pkgutil
import re
import subprocess
import sys

import pytest

import tf1pruning
from tf1pruning.cli.main import COMMANDS

ROOT = pathlib.Path(__file__).resolve().parent.parent
PUBLIC = (
    'tf1pruning',
    'tf1pruning.cluster',
    'tf1pruning.criteria',
    'tf1pruning.data',
    'tf1pruning.schedules',
    'tf1pruning.training',
)
DOCUMENTS = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
EXAMPLES = sorted((ROOT / 'examples').glob('*.py'))
# Prints which public names are another object once every module is imported, and which
# flags each command has.
IMPORT_ALL = """
import importlib, json, pkgutil
from absl import flags
import tf1pruning
others, found = set(flags.FLAGS), {}
first = {name: getattr(tf1pruning, name) for name in tf1pruning.__all__}
for module in pkgutil.walk_packages(tf1pruning.__path__, 'tf1pruning.'):
    importlib.import_module(module.name)
    found[module.name] = sorted(set(flags.FLAGS) - others)
    # Each command defines the same flags.
    flags.FLAGS.remove_flag_values(found[module.name])
changed = [name for name in first if getattr(tf1pruning, name) is not first[name]]
print(json.dumps({'changed': changed, 'flags': found}))
"""


@pytest.fixture(scope='module')
def imported():
    """What `IMPORT_ALL` prints."""
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', IMPORT_ALL],
        cwd=str(ROOT),
        env={**os.environ, 'TF_CPP_MIN_LOG_LEVEL': '3'},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def modules_below(package):
    return {
        found.name
        for found in pkgutil.walk_packages(package.__path__, package.__name__ + '.')
    }


def test_no_import_changes_a_public_name(imported):
    assert imported['changed'] == []


def test_no_public_name_is_that_of_a_module():
    basenames = {name.rpartition('.')[2] for name in modules_below(tf1pruning)}

    assert len(basenames) > 100
    assert basenames.isdisjoint(tf1pruning.__all__)


@pytest.mark.parametrize('name', PUBLIC)
def test_every_public_name_exists_and_is_described(name):
    package = importlib.import_module(name)

    assert list(package.__all__) == sorted(package.__all__)
    for public in package.__all__:
        found = getattr(package, public)
        assert isinstance(found, str) or inspect.getdoc(found), public


@pytest.mark.parametrize('name', PUBLIC[1:])
def test_no_public_function_is_called_like_a_module_beside_it(name):
    package = importlib.import_module(name)
    functions = {
        f'{name}.{public}'
        for public in package.__all__
        if not inspect.ismodule(getattr(package, public))
    }

    assert modules_below(package).isdisjoint(functions)


# What functions give, and nobody makes.
GIVEN = (
    'Analysis Change Comparison Compressed Cost Distilled Done Export '
    'Exports LayerRepair Model Plan Progress Repaired Scores Stage StrippedModel'
)


@pytest.mark.parametrize('name', PUBLIC)
def test_a_value_of_another_type_is_an_error_of_ours(name):
    package = importlib.import_module(name)
    values = {public: getattr(package, public) for public in package.__all__}
    made = {
        public: value.__init__ if inspect.isclass(value) else value
        for public, value in values.items()
        if inspect.isfunction(value) or inspect.isclass(value)
        if public not in GIVEN.split() and not public.endswith('Error')
    }

    assert made
    unchecked = [n for n, f in made.items() if f.__globals__['__name__'] != CHECK]
    assert unchecked == []


CHECK = 'tf1pruning.typed'
WRONG = [
    (tf1pruning.load, (3,), 'path is 3; expected a string or a PathLike'),
    (tf1pruning.load, ('x', 'output'), r"outputs is 'output'; .* such as \['output'\]"),
    (tf1pruning.load, ('x', (), None), 'options is None; expected a LoadOptions'),
    (tf1pruning.analyze, ('model.ckpt',), "model is 'model.ckpt'; expected a Model"),
    (tf1pruning.Choice, ('0.5',), "threshold is '0.5'; expected a number or None"),
    (tf1pruning.Limits, (1.5,), r'multiple is 1\.5; expected an integer'),
    (tf1pruning.LoadOptions, (None, 'serve'), r"tags is 'serve'; .* list of strings"),
    (tf1pruning.Pruning, (3,), 'input_ckpt_path is 3; expected a string'),
    (tf1pruning.Batches.of_arrays, ([], 3), r'arrays is \[\]; expected a mapping'),
]


@pytest.mark.parametrize(('function', 'arguments', 'message'), WRONG)
def test_it_says_what_was_expected(function, arguments, message):
    with pytest.raises(tf1pruning.OptionError, match=message):
        function(*arguments)


def test_the_types_are_for_others_too():
    assert (ROOT / 'tf1pruning' / 'py.typed').exists()


def is_public(path):
    """Whether a dotted path below tf1pruning is a public module or name."""
    package, _, name = path.rpartition('.')
    if path in PUBLIC:
        return True
    return package in PUBLIC and name in importlib.import_module(package).__all__


def used(source):
    """The dotted paths below tf1pruning that Python code imports and uses."""
    nodes = list(ast.walk(ast.parse(source)))
    called = {
        alias.asname or alias.name: alias.name
        for node in nodes
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    yield from called.values()
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            yield from (f'{node.module}.{alias.name}' for alias in node.names)
        elif isinstance(node, ast.Attribute):
            module = called.get(getattr(node.value, 'id', ''))
            yield from [f'{module}.{node.attr}'] if module else []


def internal(source):
    return [
        path
        for path in used(source)
        if path.split('.')[0] == 'tf1pruning' and not is_public(path)
    ]


@pytest.mark.parametrize('path', EXAMPLES, ids=lambda p: p.stem)
def test_examples_use_public_names_only(path):
    assert internal(path.read_text('utf-8')) == []


@pytest.mark.parametrize('path', DOCUMENTS, ids=lambda p: p.stem)
def test_documents_use_public_names_only(path):
    text = path.read_text('utf-8')
    blocks = re.findall('```python\n(.*?)```', text, re.S)
    inline = re.findall(r'`(from tf1pruning\S* import [^`]+|import tf1[^`]+)`', text)
    named = re.findall(r'`(tf1pruning(?:\.\w+)+)', text)

    assert [path for code in blocks + inline for path in internal(code)] == []
    assert [path for path in named if not is_public(path)] == []


def flags_in(text):
    """Names of flags, without the `no` of a switch that is off."""
    return set(re.findall(r'--(?:no)?(\w+)', text))


@pytest.fixture(scope='module')
def flags(imported):
    """Command -> its flags, as `flags_in` gives them."""
    return {
        command: flags_in(
            ' --'.join(['', *imported['flags'][f'tf1pruning.cli.{name}']])
        )
        for command, (name, _) in COMMANDS.items()
    }


@pytest.mark.parametrize('path', DOCUMENTS, ids=lambda p: p.stem)
def test_documents_give_commands_the_flags_that_they_have(path, flags):
    text = path.read_text('utf-8')
    calls = re.findall(r'(?:tf1pruning |tools/)(\w+)(?:\.py)? ([^`\n]*)', text)

    for command, arguments in calls:
        assert flags_in(arguments) <= flags.get(command, flags_in(arguments)), command


@pytest.mark.parametrize('name', ['README.md', 'docs/tools.md', 'docs/criteria.md'])
def test_every_flag_that_is_described_is_one(name, flags):
    known = set.union(*flags.values()) | {'help', 'flags', 'no'}  # pip's --no-deps

    assert flags_in((ROOT / name).read_text('utf-8')) <= known


@pytest.mark.parametrize(
    'source',
    [
        'from tf1pruning.choosing.choice import Choice',
        'import tf1pruning.plan_json',
        'from tf1pruning import plan_json',
        'import tf1pruning as tp\ntp.files.write_text',
    ],
)
def test_an_internal_name_is_found(source):
    assert internal(source)
