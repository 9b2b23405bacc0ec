"""A program for `test_members`: does what its order says."""

from __future__ import annotations

import os
import signal
import sys
import time

from tf1pruning.cluster import members

ORDER = members.read_order()
print('not a message')
members.tell({'pid': os.getpid(), 'said': ORDER['say']})
if ORDER['then'] == 'fail':
    sys.exit('Error: no such layer')
if ORDER['then'] == 'break':
    raise KeyError('unheard')
if ORDER['then'] == 'lose':
    sys.exit(members.LOST)
if ORDER['then'] == 'be killed':
    os.kill(os.getpid(), signal.SIGKILL)
if ORDER['then'] == 'hang':
    time.sleep(60)
