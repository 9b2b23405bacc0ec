from __future__ import annotations

import contextlib
import json
import socket

import pytest

from tf1pruning.cluster import tasks
from tf1pruning.cluster.tasks import Task
from tf1pruning.errors import OptionError, WorkflowError

CLUSTER = {'chief': ['a:1'], 'worker': ['b:2', 'b:3'], 'ps': ['c:4']}


def tf_config(jobs, task):
    return json.dumps({'cluster': jobs, 'task': task})


@contextlib.contextmanager
def listening():
    """Takes calls and never answers, like a process that hangs."""
    with socket.socket() as found:
        found.bind(('127.0.0.1', 0))
        found.listen(4)
        yield f'127.0.0.1:{found.getsockname()[1]}'


def nowhere():
    with listening() as address:
        return address


def test_a_task_knows_its_place():
    task = tasks.read_task(tf_config(CLUSTER, {'type': 'worker', 'index': 1}))

    assert (task.name, task.address, task.number) == ('worker-1', 'b:3', 2)
    assert task.addresses() == {'chief-0': 'a:1', 'worker-0': 'b:2', 'ps-0': 'c:4'}
    assert task.addresses([tasks.WORKER]) == {'worker-0': 'b:2'}


def test_without_ps_all_train_in_step():
    jobs = {'chief': ['a:1'], 'worker': ['b:2'], 'ps': []}

    task = tasks.read_task(tf_config(jobs, {'type': 'chief', 'index': 0}))

    assert task.in_step
    assert task.addresses() == {'worker-0': 'b:2'}
    assert not tasks.read_task(
        tf_config(CLUSTER, {'type': 'chief', 'index': 0})
    ).in_step


@pytest.mark.parametrize('text', ['', '{}', '{"cluster": {}}', '{"task": {}}'])
def test_without_a_cluster_there_is_no_task(text):
    assert tasks.read_task(text) is None


def test_the_environment_leaves_the_server_to_its_caller():
    task = tasks.read_task(tf_config(CLUSTER, {'type': 'ps', 'index': 0}))

    assert json.loads(task.tf_config()) == {
        'cluster': CLUSTER,
        'task': {'type': 'ps', 'index': 0},
        'environment': 'google',
    }


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('{"cluster"', 'TF_CONFIG is no JSON'),
        ('[1]', r'TF_CONFIG is .\[1\].; expected an object'),
        (tf_config([], {}), None),
        (tf_config(['a:1'], {}), r'"cluster" is \[.a:1.\]'),
        (tf_config({'ps': ['c:4']}, {}), '"cluster" has no "chief"'),
        (
            tf_config({'chief': ['a:1']}, {}),
            '"cluster" has no "ps", .* no "worker"',
        ),
        (
            tf_config({**CLUSTER, 'master': ['d:5'], 'ps': 'c:4'}, {}),
            '"cluster" has .master.; the types are chief, worker, ps; "ps" is .c:4.',
        ),
        (tf_config({**CLUSTER, 'ps': ['c']}, {}), '"ps" is .* not a list'),
        (tf_config({**CLUSTER, 'ps': ['c:0']}, {}), '"ps" is .* not a list'),
        (tf_config({**CLUSTER, 'ps': ['c:\u00b2']}, {}), '"ps" is .* not a list'),
        (tf_config({**CLUSTER, 'ps': ['http://c:4']}, {}), '"ps" is .* not a list'),
        (tf_config({**CLUSTER, 'ps': ['c :4']}, {}), '"ps" is .* not a list'),
        ('[' * 10**5, 'TF_CONFIG is no JSON'),
        (tf_config({**CLUSTER, 'ps': ['b:2']}, {}), 'two tasks share b:2'),
        (tf_config({**CLUSTER, 'chief': ['a:1', 'a:2']}, {}), 'there is one chief'),
        (tf_config(CLUSTER, None), '"task" is None'),
        (tf_config(CLUSTER, {'type': 'evaluator'}), "is 'evaluator'; the cluster has"),
        (tf_config(CLUSTER, {'type': ['ps'], 'index': 0}), r"is \['ps'\]; the cluster"),
        (
            tf_config({**CLUSTER, 'ps': []}, {'type': 'ps', 'index': 0}),
            "is 'ps'; the cluster has chief, worker",
        ),
        (
            tf_config(CLUSTER, {'type': 'worker', 'index': 2}),
            "the index of .task. is 2; 'worker' has the tasks 0 to 1",
        ),
        (tf_config(CLUSTER, {'type': 'ps', 'index': True}), 'index of "task" is True'),
    ],
)
def test_what_is_wrong_in_tf_config_is_named(text, message):
    if message is None:
        assert tasks.read_task(text) is None
        return
    with pytest.raises(OptionError, match=message):
        tasks.read_task(text)


def test_only_a_server_that_greets_answers():
    with listening() as address:
        assert not tasks.answers(address, 0.1)
        assert tasks.is_there(address)
    assert not tasks.answers(nowhere(), 0.1)
    assert not tasks.is_there(nowhere())


def test_a_server_answers_and_its_address_is_taken():
    address = nowhere()
    task = Task('ps', 0, {'chief': ('127.0.0.1:1',), 'ps': (address,)})

    server = task.serve()

    assert server.target.endswith(address.rpartition(':')[2])
    assert tasks.answers(address, 2)
    with pytest.raises(WorkflowError, match=f'cannot serve at {address}: a process'):
        task.serve()


def test_a_ps_that_is_gone_has_nothing_to_forget_and_is_named_in_time():
    own, gone = nowhere(), nowhere()
    task = Task('chief', 0, {'chief': (own,), 'ps': (gone,)})
    server = task.serve()

    with pytest.raises(WorkflowError, match=f'0.2 s .* from ps-0 at {gone}'):
        tasks.forget_variables(server, task, 0.2)


def test_who_does_not_answer_is_named_after_a_bounded_time():
    address = nowhere()
    task = Task('chief', 0, {'chief': ('127.0.0.1:1',), 'ps': (address,)})

    with pytest.raises(WorkflowError, match=f'0.2 s .* from ps-0 at {address}'):
        tasks.wait_for(task, [tasks.PS], 0.2)


def test_an_address_may_be_of_ipv6():
    with socket.socket(socket.AF_INET6) as server:
        try:
            server.bind(('::1', 0))
        except OSError:
            pytest.skip('this machine has no IPv6')
        server.listen()
        address = f'[::1]:{server.getsockname()[1]}'

        task = tasks.read_task(
            tf_config({**CLUSTER, 'ps': [address]}, {'type': 'chief', 'index': 0})
        )

        assert task.addresses(('ps',)) == {'ps-0': address}
        assert tasks.is_there(address)
