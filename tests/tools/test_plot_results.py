import json
import os
import subprocess
import sys

from tf1pruning.channels.uses import PRODUCER
from tf1pruning.plan import Cut, GroupPlan, Plan
from tf1pruning.workflow import outputs
from tf1pruning.zoo import results

PLOT = os.path.join(os.path.dirname(__file__), '..', '..', 'tools', 'plot_results.py')


def run_plot(run_dir, output):
    return subprocess.run(
        [sys.executable, PLOT, f'--run_dir={run_dir}', f'--output={output}'],
        capture_output=True,
        text=True,
        check=False,
    )


def test_draws_a_finished_run(tmp_path):
    figures = results.ModelFigures(100, 10, 8, 500, 0.5, 0.98)
    found = results.Results(
        models=dict.fromkeys(results.KINDS, figures),
        steps=(results.StepFigures(0.5, 0.0, 1, 0.9, 0.98, 'TH0.5'),),
        max_difference_relative=0.0,
    )
    text = json.dumps(found.as_json())
    (tmp_path / 'results.json').write_text(text, encoding='utf-8')
    cut = Cut('b/expand/weights', 3, 4, PRODUCER, ((1,), (2,)))
    group = GroupPlan('b', 'inverted_residual', 4, (1, 2), 2, False, (cut,))
    outputs.write_plan(str(tmp_path / 'TH0.5'), Plan('0', 'block', 1, 0.5, (group,)))
    done = run_plot(tmp_path, tmp_path / 'results.png')
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'results.png').read_bytes().startswith(b'\x89PNG')


def test_a_folder_without_results_is_one_line(tmp_path):
    done = run_plot(tmp_path, tmp_path / 'results.png')
    assert done.returncode == 1
    assert 'Is --run_dir a finished run?' in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / 'results.png').exists()
