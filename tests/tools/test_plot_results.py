import json

from demo.training import results
from tests import programs
from tf1pruning.channels.trace_result import PRODUCER
from tf1pruning.facade import output_files
from tf1pruning.plan import Cut, GroupPlan, Plan


def run_plot(run_dir, output):
    return programs.run(
        'tools/plot_results.py', f'--run_dir={run_dir}', f'--output={output}'
    )


def test_draws_a_finished_run(tmp_path):
    figures = results.ModelFigures(100, 10, 8, 500, 0.5, 0.98)
    found = results.Results(
        models=dict.fromkeys(results.KINDS, figures),
        steps=(results.StepFigures(0.5, 0.0, 1, 0.9, 0.98, 'TH0.5'),),
        max_difference_relative=0.0,
        untrained=results.UntrainedFigures(8, 0.1, 0.9),
    )
    text = json.dumps(found.as_json())
    (tmp_path / 'results.json').write_text(text, encoding='utf-8')
    cut = Cut('b/expand/weights', 3, 4, PRODUCER, ((1,), (2,)))
    group = GroupPlan('b', 'inverted_residual', 4, (1, 2), 2, False, (cut,))
    output_files.write_plan(
        str(tmp_path / 'TH0.5'), Plan('0', 'block', 1, 0.5, (group,))
    )
    done = run_plot(tmp_path, tmp_path / 'results.png')
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'results.png').read_bytes().startswith(b'\x89PNG')


def test_a_folder_without_results_is_one_line(tmp_path):
    done = run_plot(tmp_path, tmp_path / 'results.png')
    assert done.returncode == 1
    assert 'Is --run_dir a finished run?' in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / 'results.png').exists()
