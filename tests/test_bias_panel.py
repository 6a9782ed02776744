"The panel of the bias check: what it shows is what the check found, the rows behind a gap are those rows, and what cannot be done is one line."
import asyncio, json, re, warnings
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from tlnb.bias import check_bias
from tlnb.bias_panel import MOST, PER, BiasPanel, bias_panel
from tlnb.errors import RecipeError
from tlnb.html import VERDICT
from tlnb.panel import static
from tlnb.recipe import Recipe

warnings.filterwarnings('ignore', "`torch.jit", FutureWarning)
BAD = '"><img src=x onerror=alert(1)>'


def people(n=900, seed=0):
    "Half of group b is refused what it merits; three towns are small, and one has a name that nobody should have"
    rng = np.random.default_rng(seed)
    group,merit = rng.choice(['a', 'b'], n),rng.normal(size=n)
    town = rng.choice(['north', 'south', 'isle', 'cape', BAD], n, p=[.48, .46, .02, .02, .02])
    paid = merit + 1.2*(group == 'a') + rng.normal(0, .5, n) > .6
    return pd.DataFrame(dict(merit=merit.round(3), noise=rng.normal(size=n).round(3), group=group, town=town, paid=np.where(paid, 'yes', 'no')))


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    from tlnb import adapt, load
    folder = tmp_path_factory.mktemp('panel')
    people().to_csv(folder/'people.csv', index=False)
    recipe = Recipe.for_tabular(data=str(folder/'people.csv'), target='paid', sensitive=['group', 'town'], train_epochs=6, run_seeds=1, run_jobs=1, tabular_layers=[16], bias_bootstrap=200, data_judged=.5,
        explain_evaluations=40, explain_background=10)
    return adapt(load(recipe), folder=folder/'run')


def other(run, **changes):
    "The same run under another recipe"
    recipe = run.recipe.with_({k.replace('_', '.', 1): v for k,v in changes.items()})
    return type(run)(run.folder, recipe, replace(run.dataset, recipe=recipe), run.source)


@pytest.fixture
def panel(run): return bias_panel(run)


def rows(panel, **asked):
    "All rows that the panel gives for this, page after page"
    got = []
    for page in range(99):
        panel.hear(dict(do='rows', page=page, **asked))
        got += panel.found['items']
        if page + 1 >= panel.found['pages']: return got


# ---- what is shown is what was found
def test_groups_and_gaps_are_those_of_the_check(run, panel):
    info = json.loads((run.folder.path/'bias.json').read_text())
    assert [o['name'] for o in panel.data['attributes']] == list(dict.fromkeys(o['attribute'] for o in info['gaps'])) and panel.verdict['state'] == 'bad'
    for a in panel.data['attributes']:
        mine = [o for o in info['gaps'] if o['attribute'] == a['name']]
        assert [(o['metric'], o['value'], o['verdict']) for o in a['gaps']] == [(o['metric'], o['value'], o['verdict']) for o in mine]
        for gap in a['gaps']:
            for rate in gap['rates']:
                for g,v in zip(a['groups'], rate['values']):
                    [one] = [o for o in info['groups'] if (o['attribute'], o['group'], o['n'], o['metric']) == (a['name'], g['group'], g['n'], rate['rate'])]
                    assert v == (one['interval'] and [one['value'], *one['interval']])
    town = next(o for o in panel.data['attributes'] if o['name'] == 'town')
    assert {o['group'] for o in town['groups'] if o['small']} == {'isle', 'cape', BAD}
    [pool] = [o for o in town['groups'] if o['pooled']]
    assert 'isle' in pool['group'] and pool['n'] == sum(o['n'] for o in town['groups'] if o['small'])

def test_at_one_half_the_sweep_says_what_the_check_says(panel):
    for a in panel.data['attributes']:
        half = next(o for o in a['thresholds'] if o['threshold'] == .5)
        for gap in a['gaps']:
            if gap['metric'] in half['gaps']: assert half['gaps'][gap['metric']][0] == pytest.approx(gap['value'], abs=1e-12)
        assert len({o['accuracy'] for o in a['thresholds']}) > 5

def test_words_and_exact_definitions(panel):
    [dp] = [o for o in panel.data['attributes'][0]['gaps'] if o['metric'] == 'demographic_parity_difference']
    assert dp['fairlearn'] == 'fairlearn.metrics.demographic_parity_difference' and 'P(Ŷ = yes | A = a)' in dp['formula'] and '“yes”' in dp['question']
    assert f'{100*dp["value"]:.1f} points apart' in dp['said'] and dp['reason'] == 'all of the interval lies above the limit'
    assert 'exclude each other' in panel.more and 'The gate is closed' in panel.top

def test_another_recipe_gets_another_check(run):
    assert bias_panel(run).report.to_dict()['limit'] == .1
    wide = bias_panel(other(run, bias_limit=.99))
    assert wide.report.verdict == 'pass' and 'The gate is open' in wide.top and wide.verdict['state'] == 'good'
    told = bias_panel(other(run, bias_limit=.2)).report
    before = told.folder.joinpath('bias.json').stat().st_mtime_ns
    bias_panel(other(run, bias_limit=.2))
    assert told.folder.joinpath('bias.json').stat().st_mtime_ns == before, 'what is there is read'
    assert [o['name'] for o in bias_panel(run, by='group').data['attributes']] == ['group']
    with pytest.raises(RecipeError, match='no such column'): bias_panel(run, by='age')


@pytest.mark.parametrize('task', ['labels', 'classes', 'numbers'])
def test_every_kind_of_target_is_told(task):
    from tlnb.bias_panel import told
    from tlnb.examples import Examples
    rng = np.random.default_rng(0)
    n,group = 600,rng.choice(['a', 'b'], 600)
    if task == 'labels': y = rng.integers(0, 2, (n, 3)); scores = .4*y + .6*rng.random((n, 3)); said = (scores > .5).astype(int); classes = ['0', '1', '2']
    elif task == 'classes': y = rng.integers(0, 3, n); scores = rng.dirichlet([1, 1, 1], n) + .3*np.eye(3)[y]; scores /= scores.sum(1, keepdims=True); said = scores.argmax(1); classes = ['0', '1', '2']
    else: y = rng.normal(size=n); said = y + rng.normal(size=n)*(1 + (group == 'a')); scores = said[:,None]; classes = []
    info = check_bias(y_true=y, y_pred=said if task == 'numbers' else scores, groups=pd.DataFrame(dict(sex=group))).info
    examples = Examples(y, said, scores, pd.DataFrame(dict(sex=group)), classes, 30)
    [a] = told(info, examples, 50)['attributes']
    assert len(a['gaps']) == (2 if task == 'numbers' else 6) and not a['thresholds']
    for gap in a['gaps']:
        assert gap['title'] and gap['formula'] and gap['outcome'] in (['', *classes] if task == 'classes' else classes or [''])
        assert all(v is not None for rate in gap['rates'] for v in rate['values']) and all(all(rate['counts']) for rate in gap['rates'])
        found = [examples.find('sex', 'a', k, gap['outcome']) for k,_ in gap['kinds']]
        assert any(map(len, found)) and all((group[o] == 'a').all() for o in found)


# ---- down to the rows
MEANT = dict(missed=lambda y, p: y == 'yes' != p, mistaken=lambda y, p: p == 'yes' != y, found=lambda y, p: y == p == 'yes', spared=lambda y, p: y == p == 'no',
    told=lambda y, p: p == 'yes', untold=lambda y, p: p == 'no', wrong=lambda y, p: y != p, right=lambda y, p: y == p)

@pytest.mark.parametrize('changes', [{}, dict(bias_mitigation='thresholds')], ids=['one line', 'thresholds'])
def test_rows_are_those_that_are_meant(run, changes):
    mine = other(run, **changes)
    panel,ds = bias_panel(mine),run.dataset
    said,by = mine.predict(ds.frame.iloc[ds.judged]).predicted.to_numpy(),{ds.ids[r]: i for i,r in enumerate(ds.judged)}
    group = ds.groups['group'].to_numpy()[ds.judged]
    y = np.array(ds.classes)[ds.y[ds.judged]]
    kinds = {k for o in panel.data['attributes'][0]['gaps'] for k,_ in o['kinds']}
    assert kinds == set(MEANT)
    for kind in kinds:
        want = {i for i in range(len(y)) if group[i] == 'b' and MEANT[kind](y[i], said[i])}
        got = rows(panel, attribute='group', group='b', kind=kind, outcome='yes')
        assert {by[o['id']] for o in got} <= want and len(got) == min(len(want), MOST) and panel.found['total'] == len(want), kind
        assert all((o['label'], o['predicted']) == (y[by[o['id']]], said[by[o['id']]]) for o in got)
    assert dict(panel.found['items'][0]['cells'])['group'] == 'b'

def test_pages(panel):
    panel.hear(dict(do='rows', attribute='group', group='a', kind='right', outcome='', page=10**9))
    f = panel.found
    assert f['page'] == f['pages'] - 1 and len(f['items']) <= PER and f['shown'] <= MOST and str(f['total']) in f['text']

def test_the_furthest_off_come_first(run, panel):
    p = {run.dataset.ids[r]: v for r,v in zip(run.dataset.judged, run.predictions(*run.best)['judged'][:,1])}
    for kind,sign in (('missed', 1), ('mistaken', -1)):
        off = [sign*p[o['id']] for o in rows(panel, attribute='group', group='b', kind=kind, outcome='yes')]
        assert off == sorted(off)

@pytest.mark.parametrize('bad', [dict(group='c'), dict(kind='none such'), dict(attribute='x'), dict(page='two'), dict(group=None)])
def test_what_is_not_there_is_one_line(panel, bad):
    panel.hear(dict(do='rows', attribute='group', group='a', kind='missed', outcome='yes') | bad)
    assert panel.status.startswith('Not possible: ') and '\n' not in panel.status and not panel.found

def test_a_pool_and_a_small_group_have_rows(panel):
    town = next(o for o in panel.data['attributes'] if o['name'] == 'town')
    n = {}
    for g in town['groups']: n[g['group']] = len(rows(panel, attribute='town', group=g['group'], kind='right', outcome='')) + len(rows(panel, attribute='town', group=g['group'], kind='wrong', outcome=''))
    for g in town['groups']: assert n[g['group']] == min(g['n'], MOST) or g['n'] > MOST


# ---- why
class Counting:
    "An explainer that tells how often it was asked"
    def __init__(self, error=None, wait=0): self.asked,self.error,self.wait = [],error,wait
    def __call__(self, items, general, note, stop):
        from types import SimpleNamespace
        self.asked += items
        if note: note(3, 9)
        if self.error: raise self.error
        import time
        time.sleep(self.wait)
        item = dict(id=items[0], label='no', predicted='yes', output=.7, why='asked for', residual=0., stability=None, agreement=None, top=[dict(feature='merit', data='1', value=.2)])
        return SimpleNamespace(info=dict(items=[item], residual_max=0., residual_limit=.02, marked=False, method='x', unit='probability', baseline=.5, ended='', agreement=None, **{'global': []}))

def test_an_explanation_is_made_once_and_kept(run, panel):
    item = str(run.dataset.ids[run.dataset.judged[0]])
    panel.__dict__['explainer'] = asked = Counting()
    for _ in range(2): panel.hear(dict(do='why', item=item))
    assert asked.asked == [item] and panel.whys[item]['state'] == 'done' and '<svg' in panel.whys[item]['html'] and 'Adds up' in panel.whys[item]['text']

def test_an_error_is_one_line_beside_the_row_and_can_be_asked_again(run, panel):
    item = str(run.dataset.ids[run.dataset.judged[0]])
    panel.__dict__['explainer'] = Counting(ValueError('no\nsuch thing'))
    panel.hear(dict(do='why', item=item))
    assert panel.whys[item]['state'] == 'failed' and panel.whys[item]['text'] == 'Not explained: no'
    panel.__dict__['explainer'] = Counting()
    panel.hear(dict(do='why', item=item))
    assert panel.whys[item]['state'] == 'done'
    panel.hear(dict(do='why', item='row 99999'))
    assert panel.status.startswith('Not possible: no such row')

def test_it_works_beside_and_one_at_a_time(run, panel):
    one,two = (str(run.dataset.ids[r]) for r in run.dataset.judged[:2])
    panel.__dict__['explainer'] = Counting(wait=.6)
    states = []
    panel.observe(lambda c: states.append((c['new'][one]['state'], c['new'][one]['fraction'])), 'whys')
    async def click():
        panel.hear(dict(do='why', item=one))
        await asyncio.sleep(.1)
        panel.hear(dict(do='why', item=two))
        await panel.work
    asyncio.run(click())
    assert panel.whys[one]['state'] == 'done' and panel.whys[two]['state'] == 'failed' and 'Another row' in panel.whys[two]['text']
    assert ('running', 3/9) in states

def test_the_real_thing_leaves_the_report_alone(run, panel):
    item = str(run.dataset.ids[run.dataset.judged[0]])
    before = sorted(o.name for o in run.folder.path.iterdir())
    panel.hear(dict(do='why', item=item))
    assert panel.whys[item]['state'] == 'done', panel.whys
    assert {o.name for o in run.folder.path.iterdir()} - set(before) <= {'progress'}, 'no explanation of the run is written'


# ---- what is decided
def test_a_blank_reason_is_refused(panel):
    panel.pending = {'bias.reason': '   '}
    assert 'a blank reason opens no gate' in panel.errors['bias.reason']
    panel.pending = {'bias.reason': 'agreed with the works council'}
    assert not panel.errors and 'bias_reason="agreed with the works council"' in panel.call
    panel.pending = {'bias.reason': None}
    assert not panel.errors

def test_choices_become_code(panel):
    changes = [json.loads(o.replace('&quot;', '"')) for o in re.findall(r'data-changes="([^"]*)"', panel.more)]
    assert {'bias.mitigation': 'thresholds'} in changes and len(changes) == 6
    panel.pending = {'bias.mitigation': 'penalty', 'bias.criteria': ['accuracy', 'predictive_parity'], 'bias.limit': .05}
    assert not panel.errors and all(o in panel.call for o in ('bias_mitigation="penalty"', 'bias_limit=0.05', 'bias_criteria=["accuracy", "predictive_parity"]'))

def test_the_gate_tells_its_state(run):
    signed = bias_panel(other(run, bias_reason='agreed on 3 May'))
    assert 'written reason' in signed.top and 'agreed on 3 May' in signed.top and 'overridden' in signed.verdict['text']
    assert 'switched off' in bias_panel(other(run, bias_gate=False)).top


# ---- where there is nothing
def test_nobody_named_a_column(run):
    alone = other(run, data_sensitive=[])
    panel = bias_panel(type(run)(run.folder, alone.recipe, replace(run.dataset, groups=run.dataset.groups[[]], recipe=alone.recipe), run.source))
    assert not panel.data and 'Nobody has said' in panel.top and 'data.sensitive' in panel.top and 'sensitive=["…"]' in panel.top
    assert {"data.sensitive": ["group"]} in [json.loads(o.replace('&quot;', '"')) for o in re.findall(r'data-changes="([^"]*)"', panel.top)]
    assert '<button' not in static(panel)
    panel.hear(dict(do='rows', attribute='group', group='a', kind='missed', outcome='yes'))
    assert panel.status.startswith('Not possible')

def test_no_model_yet(run, tmp_path):
    from tlnb.store import RunFolder
    empty = type(run)(RunFolder(tmp_path/'empty'), run.recipe, run.dataset, None)
    empty.folder.create('k')
    panel = bias_panel(empty)
    assert 'no model in this run yet' in panel.top and 'let adapt finish' in panel.top and not panel.data
    empty.folder.request_stop()
    assert 'stopped before any model was trained' in bias_panel(empty).top

def test_a_stopped_run_is_said_to_be_one(run):
    run.folder.request_stop()
    try: assert 'The run was stopped' in bias_panel(run).top
    finally: run.folder.clear_stop()

def test_slices_lead_to_their_rows(run):
    info = dict(check_bias(run).info, slices=dict(items=[dict(slice='cluster 1', n=40, error=.5, rest=.1, p=.01)], examples=[str(run.dataset.ids[r]) for r in run.dataset.judged[:3]]))
    from tlnb.bias import BiasReport
    panel = BiasPanel(run, BiasReport(info, run.folder.path))
    assert 'Without any group' in panel.more and 'more than chance' in panel.more and 'data-items' in panel.more and '<button' not in static(panel)
    panel.hear(dict(do='items', items=info['slices']['examples'] + ['row 99999'], title='cluster 1'))
    assert [o['id'] for o in panel.found['items']] == info['slices']['examples']


# ---- without a kernel
class Tags(HTMLParser):
    def __init__(self): super().__init__(); self.tags,self.attrs = set(),set()
    def handle_starttag(self, tag, attrs): self.tags.add(tag); self.attrs |= {k for k,_ in attrs}

def test_the_saved_notebook_tells_it_all_and_has_no_control(panel):
    html,tags = str(static(panel)),Tags()
    tags.feed(html)
    assert not tags.tags & {'script', 'img', 'button', 'input', 'select', 'iframe'} and not any(o.startswith('on') for o in tags.attrs)
    assert all(o in html for o in ('Exact definition', 'points apart', 'fairlearn.metrics', 'Rates of each group', 'The gate is closed', '(pooled: '))
    data,_ = panel._repr_mimebundle_()
    assert data['text/html'] == html and data[VERDICT]['kind'] == 'bias'
