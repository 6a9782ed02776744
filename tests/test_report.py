"report.json by its schema, whatever ran; report.html in one file that fetches nothing"
import json, re, subprocess, sys

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from jsonschema import Draft202012Validator
from planted import SOURCE, Planted

from tlnb.bias import check_bias
from tlnb.errors import StoreError
from tlnb.evaluate import evaluate
from tlnb.report import Report, report

TOP = ['schema', 'tlnb', 'template', 'modality', 'seed', 'seconds', 'environment', 'recipe', 'dataset', 'source', 'arms', 'transfer', 'ranking',
    'explanation', 'bias', 'package', 'carried']
ARMS = dict(majority=.55, simple=.74, from_scratch=.72, source_unchanged=.70, fine_tuning=.84)
WHY = dict(method='permutation (shap)', model='fine_tuning, seed 0', explains="explained: probability of 'c1'", unit='probability', evaluations=500, seconds=1.5,
    residual_max=1e-9, residual_limit=.02, marked=False, baseline=.4, background='50 training rows', background_rows=50, global_rows=50, features=['age', 'job'],
    stability=None, says_not='Not a cause.', items=[dict(id='row 3', label='c1', predicted='c0', output=.3, why='worst loss', residual=0.,
        top=[dict(feature='age', data='41', value=-.1), dict(feature='job', data='<b>clerk</b>', value=.02)])],
    **{'global': [dict(feature='age', mean_abs=.1), dict(feature='job', mean_abs=.02)]})
SCHEMA = json.loads((ROOT/'tlnb/report.schema.json').read_text())


def valid(info):
    assert [f'{list(e.path)}: {e.message}'[:300] for e in Draft202012Validator(SCHEMA).iter_errors(info)] == []
    assert set(TOP) <= info.keys()
    for key in TOP: assert info[key] is not None or info[f'{key}_reason'], key


def begin(run, **changes):
    "What adapt leaves in the folder"
    r, ds = run.recipe, run.dataset
    run.folder.create('0123456789abcdef', {**dict(recipe=r.to_dict(), origins=r.origins, modality='tabular', source=run.source,
        environment=dict(python='3.11', platform='Linux', device='cpu', packages=dict(torch='2'))), **changes})
    run.folder.write_json('dataset.json', dict(n_train=320, n_valid=80, n_test=ds.n_judged, classes=ds.classes, target='y', task=ds.task, fingerprint='ab'*32,
        warnings=[dict(code='target_leak', message='<script>alert(1)</script>', count=1, where='a column', cure='drop it', fix={'data.drop': ['x']})]))
    return run


@pytest.fixture
def full(tmp_path):
    run = begin(Planted(tmp_path/'run', ARMS, skipped=dict(feature_extraction='not asked for')))
    evaluate(run)
    run.folder.write_json('explanation.json', WHY)
    rng = np.random.default_rng(0)
    y, p, g = rng.integers(0, 2, 400), rng.integers(0, 2, 400), rng.choice(['f', 'm'], 400)
    run.folder.write_json('bias.json', check_bias(y_true=y, y_pred=p, groups=pd.Series(g, name='sex')).to_dict())
    run.folder.write_json('arms/fine_tuning/seed-0/result.json', dict(seconds=2.5, carried=dict(share=.9, classes=['c0'], columns=dict(age=dict(what='carried', was='age')))))
    return report(run)


def test_full(full):
    info = full.to_dict()
    valid(info)
    assert all(info[k] is not None for k in ('source', 'arms', 'transfer', 'explanation', 'bias')) and info['seconds'] == 4.
    assert json.loads((full.folder/'report.json').read_text()) == info


def test_nothing_but_a_run(tmp_path):
    "Stopped before anything was judged"
    run = begin(Planted(tmp_path, ARMS, source=None))
    made = report(run.folder.path)
    valid(made.info)
    assert made.info['carried_reason'] == 'no source model was named'
    for key in TOP + ['carried', 'created']:
        if made.info[key] is None: assert list(Draft202012Validator(SCHEMA).iter_errors({k: v for k, v in made.info.items() if k != f'{key}_reason'})), key
        assert list(Draft202012Validator(SCHEMA).iter_errors({k: v for k, v in made.info.items() if k != key})), key
    run.folder.request_stop()
    assert report(run).info['stopped'] and report(run).info['arms_reason'] == 'the run was stopped before it was judged'
    assert made.info['arms_reason'] == 'evaluate(run) was not called' and made.info['source_reason'] == 'no source model was named'
    assert len(made.lines()) == 6 and 'evaluate(run)' in made.lines()[2] and made.to_frame().empty


@pytest.mark.parametrize('kind', ['no source', 'regression', 'three classes', 'undefined', 'hurt', 'no curve', 'not reached'])
def test_kinds(tmp_path, kind):
    options = {'no source': dict(source=None), 'regression': dict(classes=0), 'three classes': dict(classes=3), 'undefined': dict(metric='roc_auc'),
        'no curve': dict(transfer_labels_needed=False), 'not reached': dict(transfer_target_value=.99)}.get(kind, {})
    arms = {k: v for k, v in ARMS.items() if kind != 'no source' or k in ('majority', 'simple', 'from_scratch')} | (dict(fine_tuning=.4, source_unchanged=.4) if kind == 'hurt' else {})
    run = Planted(tmp_path, arms, **options)
    if kind == 'undefined': run.dataset.y[run.dataset.judged] = 1
    j = evaluate(begin(run))
    made = report(run)
    valid(made.info)
    assert made.info['transfer']['verdict'] == {'no source': 'not_applicable', 'undefined': 'not_applicable', 'hurt': 'hurt'}.get(kind, 'helped')
    assert ('Filled: the two arms' in str(made.to_html())) == (kind not in ('no source',)), kind
    assert made.judgement().to_dict() == j.to_dict() and not made.to_frame().empty and made.judgement()._repr_html_() == j._repr_html_()


def test_nothing_to_compare(tmp_path):
    "No sensitive column was named: bias.json is there, with a reason"
    run = begin(Planted(tmp_path, ARMS))
    run.folder.write_json('bias.json', dict(sensitive=[], groups=[], gaps=[], undecided=[], verdict=None, mitigation=None, gate={}, reason='no sensitive column is named'))
    made = report(run)
    valid(made.info)
    assert made.info['bias'] is None and made.info['bias_reason'] == 'no sensitive column is named'


def test_page_is_one_file(full):
    html = (full.folder/'report.html').read_text()
    assert not re.search(r'<(script|link|iframe|img|object|embed)|(src|href)\s*=\s*["\'](?!#|data:)|url\((?!["\']?(#|data:))|@import| on\w+=', html)
    assert len(html) < 1_000_000 and '<svg' in html and '<text' in html   # pictures, their text kept as text


def test_page_is_accessible(full):
    "Pictures have words, tables have headings, chapters are reached by links, the language is said"
    html = str(full.to_html())
    assert '<html lang="en">' in html and 'prefers-color-scheme:dark' in html and '@media print' in html
    for svg in re.findall(r'<svg[^>]*>', html): assert re.search(r'role="img" aria-label="[^"]{10,}"', svg)
    for anchor in re.findall(r'href="#([a-z-]+)"', html): assert f'id="{anchor}"' in html
    assert html.count('<h1>') == 1 and html.count('<h2>') >= 8


def test_what_users_wrote_is_escaped(full):
    html = str(full.to_html())
    assert '<script>alert' not in html and '<b>clerk</b>' not in html and '&lt;script&gt;alert(1)' in html


def test_six_lines(full):
    lines = full.lines()
    assert [o.split()[0] for o in lines] == ['data', 'source', 'transfer', 'labels', 'explanation', 'bias'] and not any('\n' in o for o in lines)
    assert lines[2].startswith('transfer     helped: fine tuning was ') and 'points of accuracy better than simple' in lines[2]


def test_template_of_the_notebook(tmp_path):
    run = begin(Planted(tmp_path/'run', ARMS))
    (tmp_path/'notebook.ipynb').write_text(json.dumps(dict(metadata=dict(tlnb=dict(template='tabular')))))
    assert report(run).info['template'] == 'tabular'


def test_no_run(tmp_path):
    with pytest.raises(StoreError, match='no run here'): report(tmp_path)


def test_light():
    "To put a report together needs neither torch nor fastai nor scikit-learn nor shap"
    code = "import sys, tlnb.report\nassert not {'torch', 'fastai', 'sklearn', 'shap', 'matplotlib'} & set(sys.modules)"
    assert subprocess.run([sys.executable, '-c', code], cwd=ROOT).returncode == 0


def test_schema_is_strict(full):
    for change in (dict(verdict='maybe'), dict(gain=None), dict(extra=1)):
        info = json.loads(json.dumps(full.info))
        info['transfer'] |= change
        assert list(Draft202012Validator(SCHEMA).iter_errors(info)), change
    info = {k: v for k, v in full.info.items() if k != 'bias'}
    assert list(Draft202012Validator(SCHEMA).iter_errors(info)) and list(Draft202012Validator(SCHEMA).iter_errors({**info, 'bias': None}))
