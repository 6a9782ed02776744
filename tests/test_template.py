"The template from one command to one folder, as a user runs it"
import json, re
from pathlib import Path

import pytest
from conftest import ROOT

# the same cells and the same sections, with less of everything that only costs time
QUICK = ['run.seeds=2', 'train.epochs=8', 'transfer.curve=60,120', 'explain.items=2', 'explain.evaluations=150', 'bias.bootstrap=200']
TOP = ['schema', 'tlnb', 'template', 'modality', 'seed', 'seconds', 'environment', 'recipe', 'dataset', 'source', 'arms', 'transfer', 'ranking',
    'explanation', 'bias', 'package']


SENSITIVE = dict(tabular=['sex'], vision=['machine'], text=['mentions'])

@pytest.fixture(scope='module', params=['tabular', 'vision', 'text'])
def template(request): return request.param

@pytest.fixture(scope='module')
def filled(tlnb, tmp_path_factory, template):
    out = tmp_path_factory.mktemp('template')/'out'
    done = tlnb('run', template, '--offline', '--out', out, '--set', *QUICK)
    assert done.returncode in (0, 1), done.stderr
    return out, done


@pytest.fixture(scope='module')
def report(filled): return json.loads((filled[0]/'report.json').read_text())


def test_folder(filled):
    out, done = filled
    assert {o.name for o in out.iterdir()} == {'notebook.ipynb', 'report.json', 'report.html', 'run'}
    assert {'notebook.ipynb', 'recipe.toml', 'report.json', 'report.html', 'card.md'} <= {o.name for o in (out/'run').iterdir()}
    for name in ('notebook.ipynb', 'report.html', 'run'): assert str(out/name) in done.stdout
    assert not [o for o in out.rglob('*') if o.suffix in ('.pkl', '.pickle', '.pth', '.tmp')]


def test_progress(filled):
    "Each step is named, and training says how far it is and how long it will take"
    err = filled[1].stderr
    assert 'Adaptation: Adapt the source' in err and re.search(r'\d+%, about .+ left', err), err


def test_schema(report):
    from jsonschema import Draft202012Validator
    schema = json.loads((ROOT/'tlnb/report.schema.json').read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(report)


def test_complete(report, template):
    "Literally every section; what did not run says why"
    assert set(TOP) <= report.keys()
    for key in TOP: assert report[key] is not None or report[f'{key}_reason'], key
    for key in ('recipe', 'dataset', 'source', 'arms', 'transfer', 'explanation', 'bias', *['ranking']*(template != 'tabular')): assert report[key] is not None, key
    assert {'majority', 'simple', 'from_scratch', 'source_unchanged', 'domain_adaptation', 'feature_extraction', 'fine_tuning'} <= report['arms'].keys()
    for name, arm in report['arms'].items():
        assert arm['interval'][0] <= arm['value'] <= arm['interval'][1], name
    assert report['transfer']['verdict'] in ('helped', 'no_difference', 'hurt') and report['transfer']['labels_needed'] is not None
    assert [o['group'] for o in report['bias']['groups']] and report['bias']['sensitive'] == SENSITIVE[template]
    assert report['template'] == template and report['seconds'] > 0 and report['recipe']['run']['seeds'] == 2


def test_notebook_is_executed(filled):
    nb = json.loads((filled[0]/'notebook.ipynb').read_text())
    code = [o for o in nb['cells'] if o['cell_type'] == 'code']
    assert [o['execution_count'] for o in code] == list(range(1, len(code) + 1))
    for cell in code:
        for o in cell['outputs']:
            assert o['output_type'] not in ('stream', 'error') or filled[1].returncode == 1 and cell is code[-1], (cell['source'], o)


def test_report_is_one_file(filled):
    "Nothing in it is fetched from anywhere, and nothing runs in it"
    html = (filled[0]/'report.html').read_text()
    assert not re.search(r'<(script|link|iframe)|(src|href)\s*=\s*["\'](?!#|data:)|url\((?!["\']?(#|data:))|@import', html)
    assert len(html) < 3_000_000


def test_everything_said_is_offline(filled):
    "The executed notebook needs no network to be read either"
    text = (filled[0]/'notebook.ipynb').read_text()
    assert '<script' not in text


def test_quick_options_are_known(tlnb):
    from tlnb.recipe import Recipe
    for o in QUICK: Recipe.parse(*o.split('=', 1))
