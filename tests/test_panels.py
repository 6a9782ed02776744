"Panels: every key has one, what is changed comes out as the cell's text, what the user's data says stays text."
import json, re, subprocess, sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import nbclient, nbformat
import numpy as np
import pandas as pd
import pytest

from tlnb.cell import argument, literal, read_call
from tlnb.data_panel import data_panel
from tlnb.dataset import load
from tlnb.html import VERDICT
from tlnb.judgement import Judgement
from tlnb.keys import KEYS, MODALITIES, keys
from tlnb.panel import PANELS, Panel, panel_keys, panel_of, static
from tlnb.recipe import Recipe
from tlnb.registry import sources
from tlnb.report_panel import report_panel
from tlnb.source_panel import source_panel

ROOT = Path(__file__).resolve().parent.parent


# ---- every key has one panel, and comes out of it
@pytest.mark.parametrize('modality', MODALITIES)
def test_every_key_is_in_exactly_one_panel(modality):
    homes = [o for panel in PANELS for o in panel_keys(panel, modality)]
    assert sorted(homes) == sorted(keys(modality)) and len(homes) == len(set(homes))

def test_a_section_that_is_new_falls_somewhere(): assert panel_of('export.name') == 'report' and panel_of('vision.size') == 'strategy'

def another(k):
    "A value that the key may hold, other than what `recipe` says"
    if k.item is bool: one = k.name != 'run.offline'
    elif k.words and k.item is str: one = k.words[-1]
    elif k.item is str: one = 'other "text" \\ é'
    else: one = k.item((k.lo if k.lo is not None else 0) + (0 if k.item is float and k.hi and k.hi < 1 else 1))
    return [one, one] if k.many else one

@pytest.mark.parametrize('key', keys('tabular'))
def test_every_key_comes_out_as_text_of_the_cell(key):
    recipe = Recipe.for_tabular(data='loans', target='defaulted')
    panel = Panel('One', recipe=recipe, keys=panel_keys(panel_of(key), 'tabular'))
    assert key in [o['key'] for o in panel.fields]
    value = another(KEYS[key])
    panel.pending = {key: value}
    assert not panel.errors and f'{argument(key)}={literal(value)}' in panel.call
    assert Recipe.from_cell(panel.call)[key] == value
    panel.pending = {key: None}
    assert not panel.errors and argument(key) not in read_call(panel.call).arguments

@pytest.mark.parametrize('key', [k for k,o in keys('tabular').items() if o.item is not str or o.words])
def test_a_bad_value_is_answered_with_one_line(key):
    panel = Panel('One', recipe=Recipe.for_tabular(data='loans'), keys=[key])
    panel.pending = {key: 'no such value'}
    assert list(panel.errors) == [key] and '\n' not in panel.errors[key] and panel.call == panel.cell

def test_an_expression_is_shown_and_not_changed(monkeypatch):
    import tlnb.panel
    monkeypatch.setattr(tlnb.panel, 'recipe_cell', lambda recipe: 'recipe = Recipe.for_tabular(\n    data=folder/"a.csv",\n    target="y",  # mine\n)')
    panel = Panel('Data', recipe=Recipe.for_tabular(data='a.csv', target='y'), keys=panel_keys('data', 'tabular'))
    held = {o['key']: o for o in panel.fields}
    assert held['data.path']['locked'] == 'folder/"a.csv"' and held['data.target']['locked'] is None
    panel.pending = {'data.path': 'b.csv', 'data.target': 'z'}
    assert 'data.path' in panel.errors and 'target="z",  # mine' in panel.call and 'folder/"a.csv"' in panel.call

def test_what_was_written_stays_in_the_code():
    panel = Panel('One', recipe=Recipe.for_tabular(data='loans'), keys=['train.lr', 'train.epochs'])
    panel.pending = {'train.lr': .01}
    panel.written, panel.pending = {'train.lr': .01}, {}
    panel.pending = {'train.epochs': 3}
    assert 'train_lr=0.01' in panel.call and 'train_epochs=3' in panel.call


# ---- what the data says stays text
BAD = ['<script>alert(1)</script>', 'say "hi" & \'bye\'', 'ש' * 30, 'a' * 400, '"><img src=x onerror=alert(2)>', '</style><b>x', 'back\\slash `tick`']

class Tags(HTMLParser):
    "Names of tags and attributes of a page"
    def __init__(self): super().__init__(); self.tags,self.attrs = set(),set()
    def handle_starttag(self, tag, attrs): self.tags.add(tag); self.attrs |= {k for k,_ in attrs}

def harmless(html):
    p = Tags()
    p.feed(str(html))
    return not p.tags & {'script', 'img', 'iframe', 'object', 'link'} and not any(o.startswith('on') for o in p.attrs)

@pytest.fixture
def hostile(tmp_path):
    rng = np.random.default_rng(0)
    y = rng.choice([BAD[0], BAD[4], 'no'], 200)
    columns = {c: rng.choice(BAD, 200) for c in BAD[:-1]}
    df = pd.DataFrame({**columns, BAD[-1]: ['L' + o for o in y], 'const': 'k', 'target "y"': y})
    df.to_csv(tmp_path/'a.csv', index=False)
    return load(Recipe.for_tabular(data=str(tmp_path/'a.csv'), target='target "y"'))

def test_hostile_data_is_escaped(hostile):
    panel = data_panel(hostile)
    assert harmless(panel.html) and harmless(static(panel)) and '&lt;script&gt;' in panel.html and 'a'*300 not in re.sub(r'title="[^"]*"|data-changes="[^"]*"', '', panel.html)
    assert panel.verdict['state'] == 'bad' and 'target leak' in panel.verdict['text']

def test_a_cure_is_a_change_of_the_recipe_and_keeps_what_was_left_out(hostile):
    column = 'back\\slash `tick`'
    recipe = replace(hostile.recipe, data=replace(hostile.recipe.data, drop=['gone']))
    panel = data_panel(replace(hostile, recipe=recipe))
    changes = [json.loads(v) for v in Buttons.of(panel.html)]
    assert {'data.drop': ['gone', column]} in changes and 'data-join' in panel.html
    panel.pending = next(o for o in changes if 'data.drop' in o)
    assert not panel.errors and Recipe.from_cell(panel.call).data.drop == ['gone', column]

class Buttons(HTMLParser):
    "What each button proposes"
    def __init__(self): super().__init__(); self.found = []
    def handle_starttag(self, tag, attrs): self.found += [v for k,v in attrs if k == 'data-changes']
    @classmethod
    def of(cls, html):
        p = cls()
        p.feed(html)
        return p.found

def test_the_static_panel_has_no_controls(hostile):
    for panel in (data_panel(hostile), source_panel(Recipe.for_tabular(source='loans'))):
        assert '<button' in panel.html and '<button' not in static(panel)

def test_hostile_names_of_sources_are_escaped():
    loans = sources('tabular')[0]
    told = [replace(loans, name=o, licence=o, trained_on=o, limits=o, origin=o) for o in BAD]
    panel = source_panel(Recipe.for_tabular(source=BAD[4]), told, ranks={BAD[0]: .5})
    assert harmless(panel.html) and harmless(static(panel)) and 'transferability' in panel.html
    assert [json.loads(o)['source.name'] for o in Buttons.of(panel.html)] == [*BAD, None]

def judged(verdict='helped', notes=()):
    def row(v, side): return dict(metric='accuracy', value=v, interval=[v-.02, v+.02], metrics=dict(accuracy=v), seeds=3, seconds=1., side=side)
    t = dict(verdict=verdict, reason=BAD[0], best='fine_tuning', versus='simple', gain=.06, interval=[.04, .08], metric='accuracy', min_gain=.01, seeds=3,
        compute=None, labels_needed=None, labels_needed_reason=BAD[4])
    return Judgement('classification', 'accuracy', dict(simple=row(.74, 'other'), fine_tuning=row(.8, 'transfer'), source_unchanged=dict(skipped=BAD[0])), t, {}, notes=list(notes))

@pytest.mark.parametrize('verdict, state', [('helped', 'good'), ('hurt', 'bad'), ('no_difference', 'open'), ('not_applicable', 'none')])
def test_the_report_tells_its_verdict(verdict, state):
    panel = report_panel(judged(verdict, BAD))
    assert panel.verdict['kind'] == 'transfer' and panel.verdict['state'] == state and harmless(panel.html)
    assert judged(verdict)._repr_mimebundle_() == {VERDICT: panel.verdict}


# ---- layers are those that are trained
@pytest.mark.parametrize('arm', ['feature_extraction', 'fine_tuning', 'from_scratch'])
def test_layers_are_those_that_are_trained(arm, tmp_path):
    from tlnb.arms import train_piece
    from tlnb.layers import layers, phases
    from tlnb.source import find_source
    from tlnb.store import RunFolder
    loans = load(Recipe.for_tabular(data='loans', source='loans', train_epochs=2))
    folder = RunFolder(tmp_path/'run')
    folder.create('k')
    said = train_piece(loans, arm, 0, folder, find_source(loans.recipe, loans, folder))
    found = layers(loans, arm)
    last = phases(arm, loans.recipe.train, len(found))[-1]
    assert sum(o['parameters'] for o,r in zip(found, last['rates']) if r) == said['trainable_parameters']
    assert sum(o['parameters'] for o in found) == said['parameters'] and found[-1]['name'] == 'head'

def test_the_strategy_panel_says_what_is_missing():
    from tlnb.strategy_panel import strategy_panel
    plain = strategy_panel(load(Recipe.for_tabular(data='loans')))
    assert 'No source is named' in plain.html and 'From scratch' in plain.html and harmless(plain.html)
    lost = strategy_panel(load(Recipe.for_tabular(data='loans', source='<b>lost</b>')))
    assert 'no such source' in lost.html and '<b>lost' not in lost.html
    found = strategy_panel(load(Recipe.for_tabular(data='loans', source='loans', train_lr='find')))
    assert all(o in found.html for o in ('Feature extraction', 'Fine tuning', 'Source unchanged', 'From scratch'))


# ---- light, and complete without a browser
def test_the_source_panel_is_light():
    code = ('import sys\nfrom tlnb import Recipe, source_panel\nsource_panel(Recipe.for_tabular(data="loans", source="loans"))._repr_mimebundle_()\n'
        'print(sorted({"torch", "fastai", "pandas", "shap", "numpy", "matplotlib", "sklearn"} & set(sys.modules)))')
    assert subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip() == '[]'

def test_the_first_panel_waits_for_nothing_heavy():
    "The template's cells up to its first panel, as they are"
    nb = json.loads((ROOT/'templates'/'tabular'/'tabular.ipynb').read_text())
    cells = [o for o in nb['cells'] if o['cell_type'] == 'code']
    steps = [o['metadata']['tlnb']['step'] for o in cells]
    code = '\n'.join(''.join(o['source']) for o in cells[:steps.index('source')+1])
    tail = 'import sys; print(sorted({"torch", "fastai", "pandas", "shap", "matplotlib"} & set(sys.modules)))'
    done = subprocess.run([sys.executable, '-c', f'{code}\n{tail}'], cwd=ROOT, capture_output=True, text=True)
    assert 'source_panel(' in code and done.stdout.strip() == '[]', done.stdout + done.stderr


def test_an_executed_notebook_keeps_the_panels_as_html_and_the_verdicts(tmp_path):
    cells = ['from tlnb import Recipe, load, adapt, evaluate, check_bias, explain, data_panel, source_panel, strategy_panel, report_panel',
        'recipe = Recipe.for_tabular(data="loans", sensitive=["sex"], source="loans", run_seeds=1, train_epochs=2, strategy="fine_tuning", transfer_labels_needed=False, explain_evaluations=50)',
        'source_panel(recipe)', 'dataset = load(recipe)\ndata_panel(dataset)', 'strategy_panel(dataset)', 'run = adapt(dataset)\njudgement = evaluate(run)\nreport_panel(judgement, run)',
        'dataset.assess()', 'judgement', 'explain(run)', 'check_bias(run)']
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(o) for o in cells])
    nbclient.NotebookClient(nb, timeout=300, resources=dict(metadata=dict(path=str(tmp_path)))).execute()
    data = [next(o.data for o in c.outputs if o.output_type == 'execute_result') for c in nb.cells[2:]]
    assert all('text/html' in o for o in data) and all('application/vnd.jupyter.widget-view+json' in o for o in data[:4])
    told = [o[VERDICT] for o in data if VERDICT in o]
    assert [o['kind'] for o in told] == ['data', 'transfer', 'data', 'transfer', 'explanation', 'bias']
    run = next((tmp_path/'tlnb-runs').iterdir()).resolve()
    assert {o['run'] and Path(o['run']).resolve() for o in told} == {None, run}
