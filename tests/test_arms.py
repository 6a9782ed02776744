"What each arm does with one seed: the same rows, its own start, and nothing that it should not see."
import json

import numpy as np
import pandas as pd
import pytest
import torch

from tlnb.arms import ARMS, piece_steps, train_piece, train_source
from tlnb.dataset import load, protocol
from tlnb.metrics import score
from tlnb.recipe import Recipe
from tlnb.source import describe, find_source, load_fitted, source_data, sources
from tlnb.store import RunFolder, load_tensors
from tlnb.tabular.loans import TARGET, make_loans

LOANS = Recipe.for_tabular(data='loans', train_epochs=8, train_head_epochs=3)


@pytest.fixture(scope='module')
def shipped(): return next(s for s in sources('tabular') if s.name == 'loans')

@pytest.fixture(scope='module')
def race(shipped, tmp_path_factory):
    "Every arm on the loans that a table has, one seed"
    ds,folder = load(LOANS),RunFolder(tmp_path_factory.mktemp('race'))
    return ds, folder, {a: train_piece(ds, a, 0, folder, shipped) for a in ARMS if a != 'zero_shot'}

def predicted(folder, arm, seed=0, size=None): return load_tensors(folder.piece(arm, seed, size)/'predictions.safetensors')


def test_every_arm_leaves_what_is_promised(race):
    ds,folder,results = race
    fit_rows,valid_rows = ds.inner(0)
    for arm,r in results.items():
        p,place = predicted(folder, arm),folder.piece(arm, 0)
        assert (r['status'], r['arm'], r['seed'], r['threads'], r['device']) == ('done', arm, 0, 1, 'cpu') and r['seconds'] > 0
        assert p['judged'].shape == (ds.n_judged, 2) and p['valid'].shape == (len(valid_rows), 2) and np.array_equal(p['valid_rows'], valid_rows)
        assert np.allclose(p['judged'].sum(1), 1) and p['judged'].dtype == np.float64
        assert r['inner']['accuracy'] == score('accuracy', ds.y[valid_rows], p['valid'])
        assert r == json.loads((place/'result.json').read_text())
        assert (place/'model.json').is_file() == ARMS[arm].neural and not (place/'checkpoint.safetensors').exists()
        if ARMS[arm].neural: np.testing.assert_array_equal(load_fitted(place).score(ds.frame.iloc[ds.judged]), p['judged'])

def test_a_head_that_was_chosen_is_trained_again_on_all_rows(race):
    "As `simple` is: the rows to choose on are scored by the head that had not seen them, the judged ones by the one that has"
    ds,folder,_ = race
    place,p = folder.piece('feature_extraction', 0),predicted(folder, 'feature_extraction')
    fitted,valid = load_fitted(place),ds.inner(0)[1]
    assert not np.allclose(fitted.score(ds.frame.iloc[valid]), p['valid'], atol=1e-3) and not (place/'again').exists()

def test_a_piece_that_has_ended_is_not_trained_again(race, shipped):
    ds,folder,results = race
    times = {f: f.stat().st_mtime_ns for f in folder.path.rglob('*.safetensors')}
    assert all(train_piece(ds, a, 0, folder, shipped) == r for a,r in results.items())
    assert times == {f: f.stat().st_mtime_ns for f in folder.path.rglob('*.safetensors')}

def test_nothing_describes_the_classes_of_a_table(race, shipped):
    ds,folder,_ = race
    r = train_piece(ds, 'zero_shot', 0, folder, shipped)
    assert r['status'] == 'skipped' and 'nothing says in words what the classes mean' in r['reason']

def test_few_labels_make_a_head_on_features_as_they_are(race, shipped):
    ds,folder,results = race
    assert results['few_shot']['trainable_parameters'] == results['feature_extraction']['trainable_parameters'] and results['few_shot']['epochs'] == 0
    assert results['few_shot']['inner']['roc_auc'] > .7

def test_unchanged_is_the_source_to_the_last_bit(race, shipped):
    ds,folder,_ = race
    np.testing.assert_array_equal(predicted(folder, 'source_unchanged')['judged'], shipped.fitted().score(ds.frame.iloc[ds.judged]))

def test_feature_extraction_leaves_the_body_alone(race, shipped):
    ds,folder,results = race
    prep = ds.kind.prepare(ds, ds.inner(0)[0], shipped.fitted())
    torch.manual_seed(0)
    begun,_ = protocol('featurizer', 'tabular').carry(shipped.fitted(), ds, prep, ds.recipe)
    now = load_fitted(folder.piece('feature_extraction', 0)).model.state_dict()
    assert {k for k,was in begun.state_dict().items() if not torch.equal(was, now[k])} == {'head.weight', 'head.bias'}
    head = sum(p.numel() for p in begun.head.parameters())
    assert results['feature_extraction']['trainable_parameters'] == head < results['feature_extraction']['parameters']

def test_fine_tuning_frees_the_head_first_and_then_all(race):
    ds,folder,results = race
    history = json.loads((folder.piece('fine_tuning', 0)/'history.json').read_text())
    assert [o['phase'] for o in history][:3] == ['head']*3 and history[-1]['phase'] == 'all layers' and len(history) == results['fine_tuning']['epochs'] <= 8
    assert results['fine_tuning']['trainable_parameters'] == results['fine_tuning']['parameters']
    assert results['fine_tuning']['carried']['columns']['insured']['what'] == 'absent' and piece_steps(ds, 'fine_tuning') == 8

def test_from_scratch_is_the_architecture_of_the_source(race, shipped):
    ds,folder,_ = race
    mine,theirs = (o.model.arch for o in (load_fitted(folder.piece('from_scratch', 0)), shipped.fitted()))
    assert mine['layers'] == theirs['layers'] and all(mine['widths'][k] == theirs['widths'][k] for k in mine['widths'] if k in theirs['widths'])

def test_simple_is_the_member_that_is_best_on_the_inner_split(race):
    ds,folder,results = race
    members,rows,p = results['simple']['members'],ds.inner(0),predicted(folder, 'simple')
    assert set(members) == {'logistic_regression', 'gradient_boosting'}
    assert results['simple']['chosen'] == max(members, key=lambda k: members[k]['inner']['accuracy'])
    chosen = lambda: ds.kind.simple(ds.task, 0)[results['simple']['chosen']]
    np.testing.assert_allclose(chosen().fit(ds.frame.iloc[rows[0]], ds.y[rows[0]]).score(ds.frame.iloc[rows[1]]), p['valid'])
    both = np.concatenate(rows)
    np.testing.assert_allclose(chosen().fit(ds.frame.iloc[both], ds.y[both]).score(ds.frame.iloc[ds.judged]), p['judged'])

@pytest.mark.parametrize('arm', ['from_scratch', 'fine_tuning', 'simple'])
def test_a_seed_repeats_itself_and_another_differs(race, shipped, arm, tmp_path):
    ds,folder,_ = race
    torch.manual_seed(123)
    state = torch.random.get_rng_state()
    train_piece(ds, arm, 0, RunFolder(tmp_path/'a'), shipped)
    assert torch.equal(state, torch.random.get_rng_state())
    train_piece(ds, arm, 1, RunFolder(tmp_path/'a'), shipped)
    np.testing.assert_array_equal(predicted(RunFolder(tmp_path/'a'), arm)['judged'], predicted(folder, arm)['judged'])
    assert not np.array_equal(predicted(RunFolder(tmp_path/'a'), arm, 1)['judged'], predicted(folder, arm)['judged'])

def test_the_judged_rows_teach_nothing(shipped, tmp_path):
    "Other judged labels, other judged rows: the same models"
    ds,other = load(LOANS),load(LOANS)
    other.y[other.judged] = 1 - other.y[other.judged]
    for arm in ('simple', 'from_scratch', 'fine_tuning'):
        runs = [RunFolder(tmp_path/str(i)) for i in range(2)]
        for d,folder in zip((ds, other), runs): train_piece(d, arm, 0, folder, shipped)
        np.testing.assert_array_equal(*(predicted(folder, arm)['judged'] for folder in runs))

def test_fewer_rows(shipped, tmp_path):
    ds,folder = load(LOANS),RunFolder(tmp_path)
    for arm in ('from_scratch', 'fine_tuning', 'simple', 'majority'):
        assert train_piece(ds, arm, 0, folder, shipped, 40)['size'] == 40
        assert len(predicted(folder, arm, 0, 40)['valid']) == 10 and (tmp_path/f'curve/n-40/{arm}/seed-0/result.json').is_file()

def test_what_is_skipped_says_why(shipped, tmp_path):
    ds,folder = load(LOANS),RunFolder(tmp_path)
    for arm in ('source_unchanged', 'feature_extraction', 'fine_tuning'):
        assert train_piece(ds, arm, 0, folder, None) == {**train_piece(ds, arm, 0, folder, None), 'status': 'skipped', 'reason': 'no source model was named'}
    rows = make_loans()
    rows[TARGET] = rows[TARGET].map({'no': 'paid', 'yes': 'late'})
    rows.to_csv(tmp_path/'b.csv', index=False)
    ds,folder = load(Recipe.for_tabular(data=str(tmp_path/'b.csv'), target=TARGET, data_split='split', train_epochs=3)),RunFolder(tmp_path/'other')
    said = train_piece(ds, 'source_unchanged', 0, folder, shipped)
    assert said['status'] == 'skipped' and 'no, yes' in said['reason'] and 'late, paid' in said['reason']
    assert train_piece(ds, 'fine_tuning', 0, folder, shipped)['status'] == 'done'        # a new head on the same body

def test_a_class_that_training_lacks_has_no_share(tmp_path):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(dict(x=rng.normal(size=120), kind=['a', 'b']*59 + ['z', 'z'], split=['train']*90 + ['test']*30))
    rows.to_csv(tmp_path/'t.csv', index=False)
    ds,folder = load(Recipe.for_tabular(data=str(tmp_path/'t.csv'), target='kind', data_split='split', train_epochs=2)),RunFolder(tmp_path/'run')
    for arm in ('majority', 'simple', 'from_scratch'):
        assert train_piece(ds, arm, 0, folder)['status'] == 'done' and predicted(folder, arm)['judged'].shape == (30, 3)


def test_numbers_from_an_earlier_run(tmp_path):
    "Regression, and a run as the source of another one"
    recipe = Recipe.for_tabular(data='diabetes', train_epochs=12, train_head_epochs=3)
    ds,first = load(recipe),RunFolder(tmp_path/'first')
    done = train_piece(ds, 'from_scratch', 0, first)
    source = find_source(recipe.with_({'source.name': str(first.path)}).resolve(), ds, None)
    run = RunFolder(tmp_path/'second')
    results = {a: train_piece(ds, a, 0, run, source) for a in ARMS}
    assert results['source_unchanged']['inner']['r2'] == pytest.approx(done['inner']['r2']) and results['simple']['chosen'] in ('ridge', 'gradient_boosting')
    assert results['fine_tuning']['inner']['r2'] > .2 and predicted(run, 'fine_tuning')['judged'].shape == (ds.n_judged, 1)
    assert results['majority']['inner']['r2'] == pytest.approx(0, abs=.05)

def test_a_source_is_trained_on_other_data_that_lacks_columns(tmp_path):
    make_loans('A', n_source=800).to_csv(tmp_path/'a.csv', index=False)
    make_loans(n_judged=100).assign(note='x').to_csv(tmp_path/'b.csv', index=False)
    recipe = Recipe.for_tabular(data=str(tmp_path/'b.csv'), target=TARGET, source_data=str(tmp_path/'a.csv'), data_split='split', sensitive=['sex'],
        data_drop=['seasonal', 'age'], data_keep=['note'], data_missing=['-9'], train_epochs=3)
    data,folder = source_data(load(recipe)),RunFolder(tmp_path/'run')
    assert 'age' not in data.frame and 'insured' in data.frame and data.n_train == 760
    said = train_source(data, folder)
    assert said['status'] == 'done' and train_source(data, folder) == said
    found = describe(folder.path/'source')
    assert found.name == 'a' and found.origin == 'trained here' and '684 rows of a.csv' in found.trained_on

def test_adult(data_dir, tmp_path):
    "Both arms without a source reach what is known of the data: 0.85"
    names = 'age workclass fnlwgt education education_num marital occupation relationship race sex gain loss hours country income'.split()
    ds = load(Recipe.for_tabular(data=str(data_dir/'tabular/adult.train'), target='income', data_header='none', data_columns=names))
    for arm in ('simple', 'from_scratch'):
        train_piece(ds, arm, 0, RunFolder(tmp_path))
        assert abs(score('accuracy', ds.y[ds.judged], predicted(RunFolder(tmp_path), arm)['judged']) - .85) < (.015 if arm == 'from_scratch' else .025)
