"Explanations: their truth, their cost, and what they leave untouched"
import random, warnings
from types import SimpleNamespace as NS

import numpy as np
import pandas as pd
import pytest

from tlnb.errors import DataError
from tlnb.explain import choose, explain
from tlnb.game import Budget, Game, RawBoard, untouched
from tlnb.shapley import correlation, exact, owen, permutation
from tlnb.store import RunFolder, to_json
from tlnb.tabular.masker import TabularMasker

N = 400


def table(seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(dict(income=rng.uniform(0, 4, N), debt=rng.uniform(0, 2, N), shoe=rng.integers(36, 46, N).astype(float),
                             city=rng.choice(['Bern', 'Basel', None], N), since=pd.to_datetime('2020-01-01') + pd.to_timedelta(rng.integers(0, 900, N), 'D')))


def raw(frame):
    "A rule with interactions over numbers, a category with gaps and a date"
    years = (pd.to_datetime(frame.since) - pd.Timestamp('2020-01-01')).dt.days.to_numpy(float)/365
    return (frame.income - 1.5*frame.debt - 0.6*frame.income*frame.debt + (frame.city=='Bern')*1. - frame.city.isna()*0.5).to_numpy(float) + 0.2*years


def two(frame): p = 1/(1+np.exp(-raw(frame))); return np.stack([1-p, p], 1)
def three(frame): z = np.stack([raw(frame), -raw(frame), 0*raw(frame)], 1); e = np.exp(z); return e/e.sum(1, keepdims=True)
def number(frame): return 1000*raw(frame)[:, None]


@pytest.fixture
def make(tmp_path):
    def _make(score=two, classes=('no', 'yes'), frame=None, model=None, y=None, **options):
        frame = table() if frame is None else frame
        p = score(frame)
        y = y if y is not None else p.argmax(1) if classes else p[:, 0]
        ds = NS(modality='tabular', frame=frame, y=y, classes=list(classes), ids=[f'row {i+2}' for i in range(N)], train=np.arange(200, N), judged=np.arange(200))
        options = dict(items=6, background=30, evaluations=220, residual_limit=0.02) | options
        return NS(dataset=ds, recipe=NS(run=NS(seed=0), explain=NS(**options)), folder=RunFolder(tmp_path), best=('fine_tuning', 0),
                  fitted=lambda arm, seed: model or NS(score=score), predictions=lambda arm, seed: dict(judged=p[:200]))
    return _make


def test_what_report_json_asks_for(make):
    run = make()
    d = explain(run).to_dict()
    assert {'method', 'evaluations', 'seconds', 'residual_max', 'items', 'global'} <= set(d)
    assert all({'id', 'label', 'predicted', 'top'} <= set(i) and all({'feature', 'value'} <= set(t) for t in i['top']) for i in d['items'])
    assert all({'feature', 'mean_abs'} <= set(g) for g in d['global'])
    assert d['evaluations'] <= 220 and d['residual_max'] < 1e-9 and not d['marked']
    assert to_json(run.folder.read_json('explanation.json')) == to_json(d)


def test_the_values_are_the_true_ones():
    "Against every coalition, weighted as Shapley (1953) does"
    from itertools import combinations
    from math import factorial
    frame, k = table(), 5
    game = Game(two, RawBoard(TabularMasker(), list(frame), frame.iloc[:5], frame.iloc[300:330]), np.ones(5, int))
    true = np.zeros((5, k))
    for f in range(k):
        for size in range(k):
            for s in combinations([o for o in range(k) if o != f], size):
                shown = np.zeros((2, k)); shown[:, list(s)] = 1; shown[1, f] = 1
                without, with_ = game(shown)
                true[:, f] += (with_ - without)*factorial(size)*factorial(k-size-1)/factorial(k)
    with untouched(): asked, every = permutation(game, k, 500), exact(game, k)
    assert np.abs(every.values - true).max() < 1e-9
    assert np.abs(asked.values - true).max() < 0.01 and asked.stability.min() > 0.8
    assert np.corrcoef(asked.values.ravel(), true.ravel())[0, 1] > 0.999


def test_same_as_shap_called_directly():
    import shap
    frame = table()[['income', 'debt', 'shoe']]
    def f(x): return 1/(1+np.exp(-(x[:, 0] - 1.5*x[:, 1] - 0.6*x[:, 0]*x[:, 1])))
    def score(rows): p = f(rows.to_numpy(float)); return np.stack([1-p, p], 1)
    rows, background = frame.iloc[:10], frame.iloc[300:340]
    theirs = shap.PermutationExplainer(f, shap.maskers.Independent(background.to_numpy(), 40), seed=0)(rows.to_numpy(), max_evals=140, silent=True).values
    with untouched(): ours = permutation(Game(score, RawBoard(TabularMasker(), list(frame), rows, background), np.ones(10, int)), 3, 140)
    assert ours.spent == 140 and np.corrcoef(ours.values.ravel(), theirs.ravel())[0, 1] > 0.999


@pytest.mark.parametrize('score,classes', [(three, ('a', 'b', 'c')), (number, ())])
def test_more_classes_and_numbers(make, score, classes):
    d = explain(make(score, classes)).to_dict()
    for i in d['items']:
        assert i['residual'] < 1e-6
        if classes: assert i['predicted'] in classes and i['output'] >= 1/3
    assert d['unit'] == ('probability' if classes else 'prediction')
    explain(make(score, classes)).plot().savefig('/dev/null', format='png')


def test_what_the_user_knows_is_what_is_shown(make):
    frame = table()
    frame.loc[7, ['income', 'city', 'since']] = [None, 'Bern', pd.Timestamp('2021-03-04')]
    def score(f): return two(f.assign(income=f.income.fillna(1)))
    data = explain(make(score, frame=frame), items=['row 9']).to_frame().set_index('feature').data
    assert data.to_dict() == dict(income='(missing)', debt=data.debt, shoe=data.shoe, city='Bern', since='2021-03-04')


def test_nothing_else_changes(make):
    import torch
    class Net(torch.nn.Module):
        def __init__(self): super().__init__(); self.lin = torch.nn.Linear(3, 2); self.drop = torch.nn.Dropout(0.5)
        def score(self, rows):
            self.eval()
            with torch.no_grad(): return torch.softmax(self.drop(self.lin(torch.tensor(rows.to_numpy(np.float32)))), 1).double().numpy()
    frame, net = table()[['income', 'debt', 'shoe']], Net().train()
    run = make(net.score, frame=frame, model=net)
    net.train()
    explain(run)                                                     # shap is imported here
    def state(): return (random.getstate(), str(np.random.get_state()), torch.random.get_rng_state().tolist(), list(warnings.filters),
                         net.training, torch.is_grad_enabled(), torch.get_num_threads(), [p.tolist() for p in net.parameters()], list(net._forward_hooks))
    before = state()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        explain(run)
    assert state() == before


def test_seed_decides_and_items_do_not_disturb_one_another(make):
    run = make()
    def of(items, seed=0): return [[t['value'] for t in i['top']] for i in explain(run, items=items, seed=seed).to_dict()['items']]
    assert of([3, 4, 5]) == of([3, 4, 5]) != of([3, 4, 5], seed=1)
    assert np.allclose(of([4])[0], of([3, 4, 5])[1], atol=1e-12)


def test_rows_are_scored_in_batches(make):
    calls = []
    def counting(frame): calls.append(len(frame)); return two(frame)
    run = make(two, model=NS(score=counting))
    explain(run, items=8)
    assert len(calls) < 120 and max(calls) <= 32768 and np.mean(calls) > 200


def test_an_explanation_that_does_not_add_up_is_marked(make):
    rng = np.random.default_rng(0)
    def noisy(frame): p = np.clip(two(frame)[:, 1] + rng.normal(0, 0.3, len(frame)), 0, 1); return np.stack([1-p, p], 1)
    why = explain(make(model=NS(score=noisy)))
    assert why.to_dict()['marked'] and why.to_dict()['residual_max'] > 0.02 and 'badge bad' in why._repr_html_()


def test_small_budgets_and_single_things(make):
    d = explain(make(evaluations=1, background=1), items=1).to_dict()
    assert d['evaluations'] == 11 and d['stability'] is None and d['residual_max'] < 1e-9
    one = table()[['income']]
    def score(f): return two(f.assign(debt=0., city='Bern', since=pd.Timestamp('2020-01-01')))
    assert len(explain(make(score, frame=one), items=2).to_dict()['global']) == 1


def test_html_escapes_what_data_holds(make):
    frame = table().assign(city='<script>alert(1)</script>')
    assert '<script>' not in explain(make(frame=frame))._repr_html_()


def test_wrong_items_are_one_line(make):
    run = make()
    for items, said in (([9999], 'no such row'), (['row 1'], 'no such item'), (pd.DataFrame(dict(income=[1])), 'a column is missing')):
        with pytest.raises(DataError, match=said): explain(run, items=items)


def test_choice_fills_up_from_any_class():
    p = np.array([[.9, .1]]*5 + [[.2, .8]])
    assert len(choose(np.array([0]*5 + [1]), p, ['a', 'b'], 6)) == 6
    assert [w for _, w in choose(np.array([0]*5 + [1]), p, ['a', 'b'], 1)] == ['worst loss']


@pytest.fixture(scope='module')
def loans(tmp_path_factory):
    "Loans with and without the planted cause, enough of them to learn it, and boosting trained on each"
    from tlnb import Recipe, load
    from tlnb.tabular.loans import make_loans
    def _loans(cause):
        path = tmp_path_factory.mktemp('loans')/'loans.csv'
        make_loans('B', n_train=6000, n_judged=600, cause=cause).to_csv(path, index=False)
        ds = load(Recipe.for_tabular(data=str(path), target='defaulted', data_split='split', explain_evaluations=155, explain_background=25))
        model = ds.kind.simple(ds.task, 0)['gradient_boosting']
        model.fit(ds.frame.iloc[ds.train], ds.y[ds.train])
        return NS(dataset=ds, recipe=ds.recipe, folder=RunFolder(path.parent), best=('simple', 0), fitted=lambda arm, seed: model,
                  predictions=lambda arm, seed: dict(judged=model.score(ds.frame.iloc[ds.judged])))
    return _loans


def test_the_planted_cause_comes_first_and_in_the_twin_it_does_not(loans):
    run = loans(True)
    brokers = [int(i) for i in run.dataset.judged if run.dataset.frame.channel.iloc[i] == 'broker'][:30]
    with_it = explain(run, items=brokers).to_dict()
    assert with_it['global'][0]['feature'] == 'channel' and with_it['residual_max'] < 1e-6
    assert np.mean(['channel' in [t['feature'] for t in i['top'][:3]] for i in with_it['items']]) >= 0.95
    without = explain(loans(False), items=brokers).to_dict()
    assert without['global'][0]['feature'] != 'channel'
    assert np.mean([i['top'][0]['feature'] == 'channel' for i in without['items']]) <= 0.05
