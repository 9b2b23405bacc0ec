"""Each tab of TensorBoard, opened in headless Chromium, shows the data of a study.

TENSORBOARD_STUDY=demo_output   look at this study, not at a short one
TENSORBOARD_PICTURE=file.png    write a screenshot of the custom scalars
"""

from __future__ import annotations

import os
import pathlib

import pytest

from tests import browsing
from tf1pruning import plan_json
from tf1pruning.report import text

STUDY = os.environ.get('TENSORBOARD_STUDY')
PICTURE = os.environ.get('TENSORBOARD_PICTURE')
# How many charts a category shows at once.
PAGE = 12

pytestmark = [
    pytest.mark.xdist_group('runs'),
    pytest.mark.skipif(
        not (browsing.CHROMIUM and browsing.CHROMEDRIVER),
        reason='no chromium and chromedriver; scripts/browser gets them',
    ),
]


class Study:
    """What the folder of a study has to show.

    Attributes:
      folder: of all its runs.
      plans: folder of a threshold step -> its plan.
    """

    def __init__(self, folder):
        self.folder = folder
        paths = sorted(folder.glob('*/Pruning_Dict/Pruned_Filters.json'))
        self.plans = {p.parent.parent.name: plan_json.load_plan(str(p)) for p in paths}

    @property
    def runs(self):
        return [f'{name}/events' for name in self.plans]

    @property
    def groups(self):
        (groups,) = {tuple(g.name for g in p.groups) for p in self.plans.values()}
        return sorted(groups)


@pytest.fixture(scope='module')
def study(request):
    if STUDY:
        return Study(pathlib.Path(STUDY))
    return Study(request.getfixturevalue('runs').folder)


@pytest.fixture(scope='module')
def page(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp('tensorboard')
    with browsing.chromium(folder) as driver, browsing.tensorboard(
        study.folder, folder / 'tensorboard.log'
    ) as address:
        yield browsing.Page(driver, address)


def test_scalars_have_a_chart_per_figure(study, page):
    page.open('scalars')

    charts = page.settled(
        """return all('tf-scalar-card').map(
          c => [c.tag, drawn('path.line', c.shadowRoot) > 0]);""",
        [['accuracy', True], ['accuracy_by_kmacs', True]],
    )
    found = page.read(
        "return all('tf-category-paginated-view').map(c => c.category.name);"
    )

    assert charts == [['accuracy', True], ['accuracy_by_kmacs', True]]
    assert set(found) >= {
        'failure_rate',
        'kept_channels',
        'kept_width_by_kmacs',
        'macs',
        'parameters',
        'prunable_macs',
        'pruned_channels',
        'pruning',
        'threshold',
    }
    assert page.errors() == []


def test_custom_scalars_draw_every_run_and_group(study, page):
    page.open('custom_scalars')
    # Points far from the others lie outside the charts otherwise.
    page.click('paper-checkbox', 'Ignore outliers in chart scaling')
    runs, groups = len(study.plans), len(study.groups)
    wanted = [
        # Title, curves, lines: each curve is drawn as it is, and smoothed.
        ['accuracy against MACs (step: thousands of MACs)', runs, 2 * runs],
        [
            'kept width per group (step: thousands of MACs)',
            runs * groups,
            2 * runs * groups,
        ],
        # One curve is of the training, one is the point at its end.
        ['failure rate per step', 2 * runs, 4 * runs],
    ]

    found = page.settled(
        """return all('tf-custom-scalar-multi-line-chart-card').map(
          ({shadowRoot: card}) => [
            ...texts('.name', card),
            all('.match-list-entry', card).length,
            drawn('path.line', card)]);""",
        wanted,
    )

    assert found == wanted
    assert page.errors() == []
    if PICTURE:
        # The list of the runs of the first chart, with their colours.
        page.read("all('.toggle-matches-button')[0].click();")
        page.save(PICTURE)


def test_images_have_a_row_per_filter(study, page):
    page.open('images')
    wanted = sorted(
        [f'pruning/filters/{group.name}', name, group.width * (256 // group.width or 1)]
        for name, plan in study.plans.items()
        for group in plan.groups
        if group.removed
    )[:PAGE]

    found = page.settled(
        """return all('tf-image-loader').map(
          c => [c.tag, c.run,
            ...all('img', c.shadowRoot).map(i => i.naturalHeight)]);""",
        wanted,
    )

    assert found == wanted
    assert page.errors() == []


@pytest.mark.parametrize(
    ('tab', 'loader', 'path', 'least'),
    [
        ('distributions', 'tf-distribution-loader', 'path.area', 5),
        # One curve before pruning, one after retraining.
        ('histograms', 'tf-histogram-loader', 'path.outline', 2),
    ],
)
def test_norms_are_drawn_from_before_to_after(study, page, tab, loader, path, least):
    page.open(tab)
    tags = [f'filter_norm/{group}' for group in study.groups]
    wanted = [[tag, run, True] for tag in tags for run in study.runs][:PAGE]

    found = page.settled(
        f"""return all('{loader}').filter(c => c.tag.startsWith('filter_norm/')).map(
          c => [c.tag, c.run, drawn('{path}', c.shadowRoot) >= {least}]);""",
        wanted,
    )

    assert found == wanted
    assert page.errors() == []


def test_hparams_have_a_row_per_threshold(study, page):
    page.open('hparams')
    wanted = [
        [f'{name}/events', '4.0000', 'block', f'{plan.threshold:.5f}']
        for name, plan in study.plans.items()
    ]

    found = page.settled(
        """return all('vaadin-grid-table-row').map(r => all('slot', r).map(
          s => s.assignedNodes().map(n => n.textContent.trim()).join('')))
          .map(([run, , ...values]) => [run, ...values.slice(0, 3)]);""",
        wanted,
    )

    assert found == wanted
    assert page.errors() == []


def test_the_text_is_the_table_of_groups(study, page):
    page.open('text')
    wanted = [
        [f'{name}/events', list(text.GROUP_HEADER)]
        + [[str(cell) for cell in row] for row in text.group_rows(plan)]
        for name, plan in study.plans.items()
    ]

    found = page.settled(
        """return all('tf-text-loader').map(
          c => [c.run, ...all('tr', c.shadowRoot).map(r => texts('th, td', r))]);""",
        wanted,
    )

    assert found == wanted
    assert page.errors() == []


def test_the_graph_has_a_colour_per_group(study, page):
    page.open('graphs')
    # The page draws the first run by itself; a click before that is forgotten.
    assert page.settled("return all('g.node').length > 0;", True)
    page.click('paper-item', study.runs[-1])
    wanted = [
        sorted({group.split('/')[0] for group in study.groups} | {'input', 'output'}),
        [f'/group:{group}' for group in study.groups],
    ]

    # TensorBoard 1.15.0 lists the colours, but fails when it draws them.
    found = page.settled(
        """const [{colorByParams}] = all('tf-graph-controls');
        return [all('g.node').map(n => n.getAttribute('data-name')).sort(),
          colorByParams ? colorByParams.device.map(d => d.device).sort() : []];""",
        wanted,
    )

    assert found == wanted
