from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cluster.test_publication import wait_until
from tf1pruning.cluster import members
from tf1pruning.errors import WorkflowError

MODULE = 'tests.cluster.made_up_member'


def run(then, is_over=lambda: False):
    """Whether it was done, and what it said."""
    heard = []
    order = {'say': 'hello', 'then': then}
    done = members.run(MODULE, order, heard.append, lambda: bool(heard) and is_over())
    return done, [message['said'] for message in heard]


@pytest.mark.parametrize(
    ('then', 'done'), [('end', True), ('lose', False), ('be killed', False)]
)
def test_messages_come_through_and_the_end_is_told(then, done):
    assert run(then) == (done, ['hello'])


def test_a_member_that_hangs_is_ended():
    assert run('hang', is_over=lambda: True) == (False, ['hello'])


def test_what_a_member_fails_with_is_raised():
    with pytest.raises(WorkflowError, match=r'^no such layer$'):
        run('fail')


def test_without_a_reason_all_that_a_member_says_is_raised():
    with pytest.raises(WorkflowError, match=r'(?s)not a message.*KeyError: .unheard'):
        run('break')


def test_a_member_ends_with_its_parent():
    parent = (
        'import os, sys\n'
        'from tf1pruning.cluster import members\n'
        'def end(message):\n'
        '    print(message["pid"], flush=True)\n'
        '    os._exit(0)\n'
        'order = {"say": "", "then": "hang"}\n'
        f'members.run({MODULE!r}, order, end, lambda: False)\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', parent], stdout=subprocess.PIPE, timeout=120, check=True
    )

    wait_until(lambda: has_ended(int(done.stdout)))


def has_ended(pid):
    try:
        with open(f'/proc/{pid}/stat') as file:
            # Dead, and only not yet reaped.
            return file.read().rpartition(')')[2].split()[0] == 'Z'
    except FileNotFoundError:
        return True
