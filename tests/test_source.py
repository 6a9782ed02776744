"A source is found by name, folder or earlier run, and used only if it is what its description says."
import json

import numpy as np
import pytest
import torch

from tlnb.dataset import load
from tlnb.errors import RecipeError, SourceError
from tlnb.recipe import Recipe
from tlnb.registry import SHIPPED
from tlnb.source import Fitted, best_piece, describe, find_source, load_fitted, sources
from tlnb.store import RunFolder


@pytest.fixture(scope='module')
def loans(): return load(Recipe.for_tabular(data='loans'))

@pytest.fixture
def net(loans):
    torch.manual_seed(0)
    prep = loans.kind.prepare(loans, loans.train)
    return Fitted('tabular', loans.task, loans.classes, prep, loans.kind.model(prep, loans.task, 2, loans.recipe), dict(name='blank', limits='learned nothing'))

def named(name, **more): return Recipe.for_tabular(data='loans', source=str(name), **more).resolve()


def test_kept_and_loaded_it_scores_the_same(net, loans, tmp_path):
    again = load_fitted(net.save(tmp_path/'m'))
    rows = loans.frame.head(50)
    assert np.array_equal(again.score(rows), net.score(rows)) and again.prep == net.prep and again.info['limits'] == 'learned nothing'
    assert not again.model.training and sorted(o.name for o in (tmp_path/'m').iterdir()) == ['model.json', 'model.safetensors']
    said = describe(tmp_path/'m')
    assert (said.name, said.parameters, said.sha256, said.offline) == ('blank', net.parameters, again.info['sha256'], True)
    assert said.size_bytes == (tmp_path/'m/model.safetensors').stat().st_size and 'blank' in said._repr_html_() and json.dumps(said.to_dict())

def test_a_number_comes_back_in_its_own_units(tmp_path):
    ds = load(Recipe.for_tabular(data='diabetes'))
    prep = ds.kind.prepare(ds, ds.train)
    torch.manual_seed(0)
    net = Fitted('tabular', ds.task, [], prep, ds.kind.model(prep, ds.task, 1, ds.recipe), {})
    p = load_fitted(net.save(tmp_path)).score(ds.frame)
    assert p.shape == (len(ds.y), 1) and abs(p.mean() - ds.y.mean()) < 2*ds.y.std()

def damage(folder, what):
    meta,weights = json.loads((folder/'model.json').read_text()),folder/'model.safetensors'
    if what == 'flipped': weights.write_bytes(weights.read_bytes()[:-1] + b'\x7f')
    if what == 'gone': weights.unlink()
    if what == 'newer': (folder/'model.json').write_text(json.dumps(meta | {'schema': 99}))
    if what == 'no json': (folder/'model.json').write_text('{')
    if what == 'other json': (folder/'model.json').write_text('[]')
    if what == 'other shape':
        (folder/'model.json').write_text(json.dumps(meta | {'arch': meta['arch'] | {'layers': [7]}}))

@pytest.mark.parametrize('what, line', [('flipped', 'not those that model.json describes'), ('gone', 'weights are missing'), ('newer', 'newer tlnb'),
    ('no json', 'damaged'), ('other json', 'damaged'), ('other shape', 'do not fit')])
def test_what_is_damaged_is_refused_in_one_line(net, tmp_path, what, line):
    net.save(tmp_path)
    damage(tmp_path, what)
    with pytest.raises(SourceError, match=line) as e: load_fitted(tmp_path)
    assert '\n' not in str(e.value)


def test_found_by_name_by_folder_or_in_a_run(net, loans, tmp_path):
    assert find_source(loans.recipe, loans, None) is None
    assert find_source(named('loans'), loans, None).origin == 'shipped'
    net.save(tmp_path/'model')
    assert find_source(named(tmp_path/'model'), loans, None).name == 'blank'
    for arm,seed,accuracy in (('from_scratch', 0, .7), ('fine_tuning', 0, .9), ('fine_tuning', 1, .6), ('source_unchanged', 0, .74)):
        piece = RunFolder(tmp_path/'out/run').piece(arm, seed)
        net.save(piece)
        (piece/'result.json').write_text(json.dumps(dict(status='done', inner=dict(accuracy=accuracy))))
    assert best_piece(tmp_path/'out/run') == tmp_path/'out/run/arms/fine_tuning/seed-0'      # the better arm on average, at its better seed
    for folder in (tmp_path/'out', tmp_path/'out/run'):
        found = find_source(named(folder), loans, None)
        assert found.origin == 'an earlier run' and found.name == folder.name

@pytest.mark.parametrize('recipe, line', [(named('loanz'), "did you mean 'loans'"), (named('loans', source_data='a.csv'), 'two sources')])
def test_what_cannot_be_found(recipe, line, loans):
    with pytest.raises(SourceError, match=line): find_source(recipe, loans, None)

def test_what_does_not_fit(net, loans, tmp_path):
    (tmp_path/'empty').mkdir()
    with pytest.raises(SourceError, match='neither a model nor a run'): find_source(named(tmp_path/'empty'), loans, None)
    (tmp_path/'run/arms').mkdir(parents=True)
    with pytest.raises(SourceError, match='no trained model'): find_source(named(tmp_path/'run'), loans, None)
    number = load(Recipe.for_tabular(data='diabetes'))
    with pytest.raises(SourceError, match='a source for classification'): find_source(named('loans'), number, None)


def test_the_shipped_source_is_what_it_says():
    [loans] = [s for s in sources('tabular') if s.name == 'loans']
    assert loans not in sources('text') and loans in sources() and loans not in sources('vision')
    with pytest.raises(RecipeError, match='known: tabular, vision, text'): sources('bogus')
    assert loans.size_bytes < 300_000 and loans.offline and loans.licence == 'Apache-2.0' and loans.limits and loans.year and loans.trained_on
    fitted = loans.fitted()
    assert fitted.parameters == loans.parameters and fitted.classes == ['no', 'yes'] and (SHIPPED/'loans/README.md').is_file()
    from tlnb.tabular.loans import make_loans
    rows = make_loans('A', seed=1, n_source=2000)
    right = (fitted.score(rows).argmax(1) == (rows.defaulted == 'yes')).mean()
    assert right > .85

def test_the_shipped_source_can_be_trained_again(tmp_path):
    from tlnb.tabular.ship import ship_loans
    said = ship_loans(tmp_path/'s', rows=800, train_epochs=2)
    assert said.name == 'loans' and said.trained_on == '800 generated loans of region A (seed 0)' and load_fitted(tmp_path/'s').parameters == said.parameters
    assert ship_loans(tmp_path/'t', rows=800, train_epochs=2).sha256 == said.sha256
