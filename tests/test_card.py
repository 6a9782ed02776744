"The model card: made of what lies on disk, honest about what is missing, careful with what a person wrote"
import subprocess, sys

import pytest

from tlnb.card import card
from tlnb.errors import StoreError
from tlnb.recipe import Recipe
from tlnb.store import RunFolder


@pytest.fixture
def folder(tmp_path):
    f = RunFolder(tmp_path)
    f.create('0123456789abcdef', dict(modality='tabular', recipe=Recipe.for_tabular(data='loans', target='defaulted', sensitive=['sex']).to_dict(),
                                      environment=dict(python='3.11.1', platform='Linux', device='cpu', packages=dict(torch='2.15', tlnb='0.1')),
                                      source=dict(name='loans', origin='shipped', licence='', limits='made-up people', trained_on='20,000 loans', year=2026)))
    f.write_json('dataset.json', dict(n_train=240, n_test=80, classes=['no', 'yes'], target='defaulted', fingerprint='ab12', warnings=[]))
    f.write_json('judgement.json', dict(arms=dict(fine_tuning=dict(metric='accuracy', value=0.8, interval=[0.7, 0.9], seeds=3), majority=dict(skipped='not asked for')),
        transfer=dict(verdict='helped', best='fine_tuning', versus='simple', gain=0.1, interval=[0.05, 0.15], metric='accuracy', min_gain=0.01, labels_needed=None,
                      labels_needed_reason='switched off', reason='')))
    f.write_json('explanation.json', dict(method='permutation (shap)', evaluations=100, background='50 rows', explains='explained: probability', residual_max=0.5,
        residual_limit=0.02, marked=True, says_not='Not causes.', model='fine_tuning, seed 0', **{'global': [dict(feature='a|b', mean_abs=0.1)]}))
    gap = dict(attribute='sex', metric='equalized_odds_difference', value=0.3, interval=[0.2, 0.4], lowest='f', highest='m', limit=0.1, verdict='fail')
    f.write_json('bias.json', dict(verdict='fail', gaps=[gap], undecided=['x: 3 rows'], notes=[], rows=80, gate=dict(on=True, reason='signed by the board'), model='fine_tuning, seed 0'))
    return f


def test_everything_that_was_measured_is_on_it(folder):
    text = card(folder).text
    for said in ('helped', '0.800', 'not stated', 'made-up people', r'a\|b', 'more than the 0.02 allowed', 'equalized odds difference', '0.200 to 0.400', 'fail',
                 'signed by the board', 'x: 3 rows', '2.15', 'sensitive = ["sex"]', 'No package was built'):
        assert said.replace('0.800', '0.8') in text, said
    assert Recipe.from_toml(text.split('```toml\n')[1].split('```')[0])['data.target'] == 'defaulted'
    assert folder.file('card.md').read_text() == text


def test_what_a_person_wrote_survives(folder):
    page = card(folder)
    mine = 'Second opinion only.\n\n- never alone \\1 <b>'
    page.path.write_text(page.text.replace(page.text.split('<!-- person: use -->\n')[1].split('\n<!-- end: use')[0], mine))
    folder.write_json('bias.json', dict(verdict=None, reason='none named'))
    again = card(folder)
    assert mine in again.text and 'use' not in again.open_parts and len(again.open_parts) == 4
    assert card(folder).text == again.text


def test_what_did_not_run_is_said(tmp_path):
    f = RunFolder(tmp_path)
    with pytest.raises(StoreError): card(f)
    f.create('0123456789abcdef', {})
    text = card(f).text
    assert all(o in text for o in ('`evaluate(run)`', '`explain(run)`', '`check_bias(run)`', 'None: the model knows nothing but'))


def test_data_cannot_write_markup(folder):
    folder.write_json('dataset.json', dict(target='<script>|x', classes=['<img>', 'b'], warnings=[dict(code='c', message='| a\n# b', count=1)]))
    text = card(folder).text
    assert '<script>' not in text and '<img>' not in text and '\n# b' not in text


def test_needs_no_torch(folder):
    code = f"from tlnb.card import card; from tlnb.store import RunFolder; card(RunFolder({str(folder.path)!r})); import sys; assert not {{'torch', 'shap', 'fastai'}} & set(sys.modules)"
    subprocess.run([sys.executable, '-c', code], check=True)


def test_whom_it_fails_is_told_by_the_run(folder):
    "In words, gap by gap, and nobody is asked; what a person had written there stays"
    page = card(folder)
    said = page.text.split('## Whom it fails')[1].split('\n## ')[0]
    assert 'Lowest for f, highest for m: 30.0 points apart, 95 % sure between 20.0 and 40.0. The limit is 10.' in said and 'written' not in said
    assert page.open_parts == ['use', 'scope', 'data', 'risks', 'contact']
    page.path.write_text(page.text.replace('## Risks', '<!-- person: fairness -->\nMen wait longer.\n<!-- end: fairness -->\n\n## Risks'))
    again = card(folder).text
    assert again.count('Men wait longer.') == 1 and card(folder).text == again


def test_a_release_holds_no_open_question(folder):
    "Each part that is asked for stops a release, alone; with all of them written nothing is asked any more"
    from types import SimpleNamespace
    from tlnb.card import TITLES, card_text
    from tlnb.errors import ExportError
    from tlnb.export import _person_gate
    said = {k: f'Of {v}, as it is.' for k,v in TITLES.items()}
    nb = SimpleNamespace(cells=[])
    full = card_text(folder, '', said)
    _person_gate(full, nb, False)
    assert 'o be written' not in full and all(o in full for o in said.values())
    for k,v in TITLES.items():
        with pytest.raises(ExportError, match=rf': {v} \(no such heading\); '): _person_gate(card_text(folder, '', said | {k: ''}), nb, False)
