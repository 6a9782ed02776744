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
    "Planted twice as strong as usual: at the usual strength the rule itself has another column first in a quarter of the items"
    run = loans(2)
    frame = run.dataset.frame
    brokers = [int(i) for i in run.dataset.judged if frame.channel.iloc[i] == 'broker'][:30]
    score,rows = run.fitted(0, 0).score,frame.iloc[brokers]
    right = [(score(o).argmax(1) == run.dataset.y[brokers]).mean() for o in (rows, rows.assign(channel='branch'))]
    assert right[0] - right[1] >= .1 # the model depends on it
    with_it = explain(run, items=brokers).to_dict()
    assert with_it['global'][0]['feature'] == 'channel' and with_it['residual_max'] < 1e-6
    assert np.mean([i['top'][0]['feature'] == 'channel' for i in with_it['items']]) >= 0.95
    without = explain(loans(0), items=brokers).to_dict()
    assert without['global'][0]['feature'] != 'channel'
    assert np.mean([i['top'][0]['feature'] == 'channel' for i in without['items']]) <= 0.05


def test_an_unsteady_order_is_said_with_what_to_do(make):
    from tlnb.explain import Explanation, sureness
    d = explain(make(), items=2).to_dict()
    for stability,low in ((.9, False), (.4, True)):
        now = Explanation(dict(d, stability=stability))
        assert ('unsteady order' in now._repr_html_()) == low and any(f'evaluations={2*d["evaluations"]}' in o for o in sureness(now.info)) == low


def test_what_does_not_add_up_is_red_and_recorded(make):
    from tlnb.explain import sureness
    for limit,over in ((1., False), (1e-12, True)):
        w = explain(run := make(residual_limit=limit), items=2, method='lime', evaluations=60)
        assert w.info['marked'] == run.folder.read_json('explanation-lime.json')['marked'] == over
        assert sureness(w.info)[0].startswith('Does not add up' if over else 'Adds up') and ('does not add up, error' in w._repr_html_()) == over


def test_words_come_by_what_is_sure_of_them():
    "A word that is large in few texts comes after one that is steady; a common word stays in the view"
    from tlnb.explain import gathered, in_order, spans
    rng = np.random.default_rng(0)
    found = [NS(features=['the', 'refund', *(['rare'] if i < 5 else [])], values=np.array([[.02, .3 + .01*rng.random(), *([.9*(i == 0)] if i < 5 else [])]])) for i in range(40)]
    names,v = gathered(found, NS())
    size = np.abs(v)
    assert [names[k] for k in in_order(size, spans(size))] == ['refund', 'the', 'rare']


# ---- networks: what is left untouched, and every way of explaining

COLUMNS = 'income', 'debt', 'shoe', 'city', 'since'

@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    "A run with a network, on disk: five columns, one seed"
    from tlnb import Recipe, adapt, load
    path = tmp_path_factory.mktemp('trained')
    frame = table()
    frame.assign(paid=np.where(raw(frame) > .2, 'yes', 'no')).to_csv(path/'people.csv', index=False)
    return adapt(load(Recipe.for_tabular(data=str(path/'people.csv'), target='paid', run_seeds=1, train_epochs=4, run_jobs=1, explain_background=20, explain_evaluations=110, explain_items=3)), folder=path/'run')


def fingerprint(learn):
    "Weights, modes, hooks and gradients of a learner"
    m = learn.model
    return ([p.tolist() for p in m.state_dict().values()], [o.training for o in m.modules()], [len(o._forward_hooks) + len(o._backward_hooks) for o in m.modules()],
            [p.requires_grad for p in m.parameters()], [None if p.grad is None else p.grad.tolist() for p in m.parameters()], sorted(map(str, m.__dict__)))

def generators():
    import torch
    return random.getstate(), str(np.random.get_state()), torch.random.get_rng_state().tolist()

def stopped_after(n):
    "A stop that is asked for after `n` batches"
    calls = []
    return lambda: calls.append(0) or len(calls) > n

@pytest.mark.parametrize('way', [dict(), dict(method='permutation', stop=stopped_after(3)), dict(method='lime'), dict(fails=True)], ids=['done', 'stopped', 'lime', 'failed'])
def test_the_learner_trains_exactly_as_before(trained, way, monkeypatch):
    "Two learners from the same state, one of which was explained in between, end with the same weights"
    import torch
    from tlnb import Run
    way = dict(way)
    runs = [Run.load(trained.folder.path) for _ in range(2)]
    learners = [r.learner for r in runs]
    for o in learners: o.model.train()
    explained = Run.from_learner(learners[0], *[], folder=trained.folder.path.parent/'foreign') if False else runs[0]
    monkeypatch.setattr(explained, 'fitted', lambda *a, **k: NS(**{**vars(trained.fitted()), 'model': learners[0].model, 'score': trained.fitted().score}), raising=False)
    before,random_before = fingerprint(learners[0]),generators()
    if way.pop('fails', False):
        import shap
        def broken(*a, **k): raise RuntimeError('in the middle')
        monkeypatch.setattr(shap.DeepExplainer, 'shap_values', broken)
        with pytest.raises(RuntimeError, match='in the middle'): explain(explained)
    else:
        d = explain(explained, **way).to_dict()
        assert bool(d['ended']) == ('stop' in way)
    assert generators() == random_before and fingerprint(learners[0]) == before
    after = []
    for o in learners:
        torch.manual_seed(0); np.random.seed(0); random.seed(0)
        with o.no_bar(), o.no_logging(): o.fit(1, 1e-3)
        after.append(fingerprint(o)[0])
    assert after[0] == after[1]


def test_deep_agrees_with_every_coalition(trained):
    "Ten columns and fewer can be gone through: both ways are held against that, on the same background"
    true,deep,asked = (explain(trained, items=8, method=m) for m in ('exact', 'deep', 'permutation'))
    flat = lambda w: w.values.values.ravel()
    assert deep.info['residual_max'] < 1e-6 and true.info['residual_max'] < 1e-6 and asked.info['residual_max'] < 1e-6
    assert np.corrcoef(flat(true), flat(asked))[0, 1] > .999 and np.corrcoef(flat(true), flat(deep))[0, 1] > .95
    assert all(i['agreement'] is not None and i['reference'] for i in deep.info['items']) and deep.info['parity'] < 1e-6
    assert explain(trained).info['method'] == deep.info['method'] # what is done where nothing is asked for


def test_stopped_explanations_keep_what_is_known_and_say_so(trained):
    from tlnb.errors import StoppedError
    w = explain(trained, method='permutation', stop=stopped_after(4))
    d = w.to_dict()
    assert d['ended'] == 'stopped' and d['evaluations'] < 110 and len(d['items']) == 3 and d['residual_max'] < 1e-6 and 'ended early' in w._repr_html_()
    assert not trained.stopped
    with pytest.raises(StoppedError, match='before anything was known'): explain(trained, method='permutation', seconds=1e-9)
    trained.folder.clear_stop()


def test_a_stop_file_ends_the_explanation_and_not_the_run(trained):
    calls = []
    def ask(): calls.append(0); len(calls) == 4 and trained.folder.request_stop(); return False
    assert explain(trained, method='permutation', stop=ask).to_dict()['ended'] == 'stopped' and not trained.stopped


def test_lime_is_a_second_opinion(trained):
    explain(trained)
    shap_was = trained.folder.read_json('explanation.json')
    d = explain(trained, method='lime', evaluations=200).to_dict()
    assert d['agreement'] > .9 and d['fit'] > .5 and trained.folder.read_json('explanation.json') == shap_was
    assert trained.folder.read_json('explanation-lime.json')['method'].startswith('LIME')


def test_several_classes_and_what_cannot_be_asked(trained):
    from tlnb.errors import RecipeError
    d = explain(trained, items=2, classes=2).to_dict()
    for i in d['items']:
        a,b = i['classes']
        assert {a['class'], b['class']} == {'yes', 'no'} and a['residual'] < 1e-6 and b['residual'] < 1e-6
        by = [{t['feature']: t['value'] for t in c['top']} for c in (a, b)]
        assert all(abs(by[0][f] + by[1][f]) < 1e-6 for f in by[0]) # what raises one of two classes lowers the other
    for options, said in ((dict(method='depe'), 'no such method'), (dict(classes=['maybe']), 'no such class'), (dict(parts='grid'), 'no such option')):
        with pytest.raises(RecipeError, match=said): explain(trained, items=1, **options)


def test_torch_and_onnx_say_the_same(trained):
    a,b = (explain(trained, method='permutation', runtime=o) for o in ('torch', 'onnx'))
    assert b.info['runtime'] == 'onnx' and b.info['parity'] < 1e-5 and np.abs(a.values.values - b.values.values).max() < 1e-5


def test_owen_keeps_columns_that_go_together(trained):
    d = explain(trained, method='owen', evaluations=60).to_dict()
    assert d['residual_max'] < 1e-6 and d['stability_of'] == 'two trees'


@pytest.fixture(scope='module')
def corners(tmp_path_factory):
    "Pictures of which the class is whether a corner is white, and a network that knows it by construction"
    import torch
    from torch import nn
    from tlnb.source import Fitted
    from tlnb.vision.prep import PicturePrep
    rng = np.random.default_rng(0)
    x = rng.integers(60, 140, (12, 32, 32, 3)).astype('uint8')
    x[::2, :8, 24:] = 255
    class Corner(nn.Module):
        arch = dict(n_out=2, name='corner')
        def __init__(self): super().__init__(); self.conv = nn.Conv2d(3, 1, 1)
        def forward(self, o):
            z = o[:, :, :8, 24:].mean((1, 2, 3))*3
            return torch.stack([-z, z], 1)
    fitted = Fitted('vision', 'classification', ['plain', 'marked'], PicturePrep(32, 'crop', [.4]*3, [.2]*3), Corner())
    frame = pd.DataFrame({'path': pd.Series(list(x), dtype=object)})
    ds = NS(modality='vision', frame=frame, y=np.arange(12) % 2 == 0, classes=['plain', 'marked'], ids=[f'p{i}' for i in range(12)], train=np.arange(6, 12), judged=np.arange(6))
    ds.y = ds.y.astype(int)
    recipe = NS(run=NS(seed=0, device='cpu'), explain=NS(items=3, background=5, evaluations=120, residual_limit=.02))
    return NS(dataset=ds, recipe=recipe, folder=RunFolder(tmp_path_factory.mktemp('corners')), best=('fine_tuning', 0), fitted=lambda arm, seed: fitted, predictions=lambda arm, seed: dict(judged=fitted.score(frame[:6])))


@pytest.mark.parametrize('how', [dict(), dict(parts='grid'), dict(stand_in='average', parts='grid')], ids=['superpixels', 'grid', 'average'])
def test_the_corner_that_counts_is_found(corners, how):
    from tlnb.places import _areas
    w = explain(corners, items=[0, 2], runtime='torch', **how)
    for i in w.to_dict()['items']:
        labels = _areas(i['look'])
        first = labels == i['features'].index(i['top'][0]['feature'])
        r,c = (np.nonzero(first)[k].mean()/labels.shape[k] for k in (0, 1))
        assert r < .3 and c > .7 and i['residual'] < 1e-5
    w.plot().savefig('/dev/null', format='png')


def test_pictures_that_were_explained_one_by_one_are_kept_when_it_is_stopped(corners):
    d = explain(corners, items=[0, 2, 4], runtime='torch', evaluations=60, stop=stopped_after(14)).to_dict()
    assert d['ended'] == 'stopped' and 1 <= len(d['items']) < 3 and d['asked'] == 3 and d['global']


def test_any_learner_for_pictures(tmp_path):
    from fastai.vision.all import CrossEntropyLossFlat, ImageDataLoaders, Learner, nn
    from PIL import Image
    from tlnb import Run, check_bias
    rng = np.random.default_rng(0)
    for i in range(24):
        x = rng.integers(60, 140, (32, 32, 3)).astype('uint8')
        if i % 2: x[:8, 24:] = 255
        (tmp_path/'p'/('marked' if i % 2 else 'plain')).mkdir(parents=True, exist_ok=True)
        Image.fromarray(x).save(tmp_path/'p'/('marked' if i % 2 else 'plain')/f'{i}.png')
    dls = ImageDataLoaders.from_folder(tmp_path/'p', valid_pct=.5, seed=0, bs=4, num_workers=0)
    learn = Learner(dls, nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 2)), loss_func=CrossEntropyLossFlat())
    before,random_before = fingerprint(learn),generators()
    run = Run.from_learner(learn, folder=tmp_path/'run', sensitive=pd.DataFrame(dict(machine=['a', 'b']*6)), explain_evaluations=40)
    d = explain(run, items=2).to_dict()
    assert d['residual_max'] < 1e-5 and d['parity'] < 1e-5 and fingerprint(learn) == before and generators() == random_before
    with learn.no_bar(), learn.no_logging(): right = learn.get_preds()[0].numpy()
    assert np.abs(run.predictions()['judged'] - right).max() < 1e-5
    assert check_bias(run, by='machine').to_dict()['groups']


@pytest.fixture(scope='module')
def sorter():
    "fastai's own classifier of texts (AWD-LSTM), trained on a word that tells the class"
    import torch
    from fastai.text.all import AWD_LSTM, TextDataLoaders, WordTokenizer, awd_lstm_clas_config, text_classifier_learner
    rng = np.random.default_rng(0)
    words = 'the bike lamp is here and I ride it to work on Monday with my friend'.split()
    frame = pd.DataFrame(dict(text=[' '.join([*rng.choice(words, 6 + i % 5), 'BROKEN!!!!' if i % 2 else 'invoice?', *rng.choice(words, 4)]) for i in range(160)], queue=['bill', 'fault']*80, last=np.arange(160) >= 120))
    torch.manual_seed(0)
    dls = TextDataLoaders.from_df(frame, text_col='text', label_col='queue', valid_col='last', bs=16, seq_len=72, num_workers=0, tok_tfm=WordTokenizer())
    learn = text_classifier_learner(dls, AWD_LSTM, pretrained=False, config=dict(awd_lstm_clas_config, emb_sz=24, n_hid=32, n_layers=2), drop_mult=.1)
    with learn.no_bar(), learn.no_logging(): learn.fit(6, 2e-2)
    return learn, frame[120:].reset_index(drop=True)


def test_any_learner_for_texts(sorter, tmp_path):
    import torch
    from tlnb import Run
    learn,frame = sorter
    learn.model.train()(learn.dls.train.one_batch()[0]) # leaves weights behind that belong to a graph
    before,random_before = fingerprint(learn),generators()
    run = Run.from_learner(learn, frame.text, labels=frame.queue, folder=tmp_path/'run', explain_evaluations=120)
    d = explain(run, items=[1, 3, 0]).to_dict()
    assert generators() == random_before and fingerprint(learn) == before
    assert d['residual_max'] < 1e-5 and d['parity'] < 1e-5 and d['runtime'] == 'torch'
    assert all({t['feature'] for t in i['top'][:2]} == {'BROKEN', '!!!!'} for i in d['items'][:2]) # the other class is what is left
    assert {g['feature'] for g in d['global'][:2]} == {'broken', '!!!!'}
    with learn.no_bar(), learn.no_logging(): right = learn.get_preds(dl=learn.dls.test_dl(list(frame.text)))[0].numpy()
    assert np.abs(run.predictions()['judged'] - right).max() < 1e-5 and (right.argmax(1) == run.dataset.y).mean() > .9
    with learn.no_bar(), learn.no_logging(): learn.fit(1) # and it trains on
    whole = explain(run, items=[0], parts='sentences', stand_in='mask').to_dict()
    assert 'xxunk' in whole['background'] and len(whole['items'][0]['features']) < len(d['items'][0]['features'])


def test_a_learner_for_texts_has_texts_of_its_own(sorter, tmp_path):
    "Its validation set, out of tokens; and what cannot be explained is a line"
    from tlnb import Run
    from tlnb.foreign import from_learner
    learn,frame = sorter
    run = Run.from_learner(learn, folder=tmp_path/'run')
    with learn.no_bar(), learn.no_logging(): right = learn.get_preds()[0].numpy()
    assert np.abs(np.sort(run.predictions()['judged'][:, 0]) - np.sort(right[:, 0])).max() < 1e-4 and (run.predictions()['judged'].argmax(1) == run.dataset.y).mean() > .9
    for items,said in ((pd.DataFrame(dict(a=['x'], b=['y'])), 'a column is missing'), ([3], 'not a text')):
        with pytest.raises(DataError, match=said): from_learner(learn, items, folder=tmp_path/'other')
    class LMDataLoader: pass
    with pytest.raises(DataError, match='a language model'): from_learner(NS(dls=NS(train_ds=learn.dls.train_ds, train=LMDataLoader()), model=learn.model), folder=tmp_path/'other')


def test_the_bench_says_what_it_missed(tmp_path):
    "Its models are made, its truth is the rule's own, and an aim that is not reached is named"
    import importlib.util
    from pathlib import Path
    spec = importlib.util.spec_from_file_location('bench_explain', Path(__file__).parent/'bench'/'explain.py')
    bench = importlib.util.module_from_spec(spec); spec.loader.exec_module(bench)
    run = bench.loans_run(tmp_path, n_train=300, epochs=1)
    rows = run.dataset.frame.iloc[run.dataset.judged]
    brokers = rows[rows.channel == 'broker'][:12].reset_index(drop=True)
    assert (bench.true_lead(run.dataset, brokers) > 1).mean() > .5 # the rule itself has the plant first in most
    good = dict(tabular=.999, speed_tabular=300., additivity=1e-8)
    assert not bench.missed(dict(tables=good)) and len(bench.missed(dict(tables=dict(good, tabular=.5, speed_tabular=3.)))) == 2


def test_overview_and_sanity_of_a_network(trained):
    from tlnb import overview, sanity
    seen = overview(trained, rows=40)
    d = seen.to_dict()
    assert d['rows'] == 40 and all(g['low'] <= g['mean_abs'] <= g['high'] for g in d['global']) and set(seen.about) >= {'class', 'predicted', 'result'}
    for by in (None, 'result', 'class'): seen.plot(by=by).savefig('/dev/null', format='png')
    for f in ('income', 'city', 'since'): seen.dependence(f).savefig('/dev/null', format='png')
    state = fingerprint(trained.learner)
    s = sanity(trained, items=4, evaluations=66)
    assert fingerprint(trained.learner) == state and len(s.info['randomised']) >= 3 and s.info['insertion']['area'] > s.info['insertion']['random']


@pytest.mark.parametrize('method, batches', [('deep', 3), ('lime', 4)])
def test_a_single_row_that_was_stopped_has_what_was_known(trained, method, batches):
    d = explain(trained, items=1, method=method, evaluations=400, stop=stopped_after(batches)).to_dict()
    assert d['ended'] == 'stopped' and len(d['items']) == 1 and d['items'][0]['agreement'] is None and any(t['value'] for t in d['items'][0]['top'])


def test_a_single_picture_that_was_stopped_is_coarser(corners):
    "What was answered by then adds up, and finds the corner"
    whole,part = (explain(corners, items=[0], runtime='torch', evaluations=400, **o).to_dict() for o in (dict(), dict(stop=stopped_after(6))))
    assert part['ended'] == 'stopped' and part['evaluations'] < whole['evaluations']/2 and part['residual_max'] < 1e-5
    kinds = [len({round(t['value'], 9) for t in o['items'][0]['top']}) for o in (part, whole)]
    assert 2 <= kinds[0] < kinds[1] and 'right' in part['items'][0]['top'][0]['feature'] and 'top' in part['items'][0]['top'][0]['feature']
