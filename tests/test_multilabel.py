"Any number of labels in a row: read, split, judged, explained, checked and reported as classes are"
import json

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from sklearn import metrics as skm

from tlnb.assessment import class_warnings
from tlnb.bias import check_bias
from tlnb.bootstrap import draw, interval, over_seeds, replicates
from tlnb.errors import DataError, RecipeError
from tlnb.explain import choose
from tlnb.metrics import METRICS, better, headline, metric, reliability, score, score_all
from tlnb.recipe import Recipe
from tlnb.splits import combinations, order, split, strata

NAMES = np.array(['cat', 'dog', 'hen', 'owl'])


def pets(n=320, seed=0):
    rng = np.random.default_rng(seed)
    age, weight, place, sex = rng.normal(5, 2, n).round(2), rng.normal(20, 6, n).round(2), rng.choice(['house', 'farm', 'wood'], n), rng.choice(['f', 'm'], n)
    found = (age + rng.normal(0, 1, n) > 5, weight + rng.normal(0, 3, n) > 22, (place == 'farm') & ((sex == 'f') | (rng.random(n) < .4)), (place == 'wood') & (rng.random(n) < .25))
    return pd.DataFrame(dict(age=age, weight=weight, place=place, sex=sex, pets=['; '.join(NAMES[list(o)]) for o in zip(*found)]))


def written(frame, folder, name='pets.csv', sep=','):
    frame.to_csv(folder/name, index=False, sep=sep)
    return str(folder/name)


def loaded(frame, folder, sep=',', **options):
    from tlnb.dataset import load
    return load(Recipe.for_tabular(**{'data': written(frame, folder, sep=sep), 'target': 'pets', 'data_separator': ';', **options}))


def decisions(n=400, k=4, seed=0):
    rng = np.random.default_rng(seed)
    y = (rng.uniform(size=(n, k)) < [.5, .3, .1, .03][:k]).astype(int)
    return y, np.clip(.25*y + rng.uniform(0, .75, (n, k)), 0, 1).round(2), rng.integers(0, 4, n).astype(float)


@pytest.mark.parametrize('weighted', [False, True])
def test_metrics_are_scikit_learns(weighted):
    y, p, w = decisions()
    if not weighted: w = np.ones(len(y))
    said, kw = (p >= .5).astype(int), dict(sample_weight=w)
    truth = dict(accuracy=1 - skm.hamming_loss(y, said, **kw), f1=skm.f1_score(y, said, average='macro', **kw), roc_auc=skm.roc_auc_score(y, p, **kw),
        pr_auc=skm.average_precision_score(y, p, **kw), balanced_accuracy=np.mean([skm.balanced_accuracy_score(a, b, **kw) for a, b in zip(y.T, said.T)]),
        log_loss=np.mean([skm.log_loss(a, b, **kw) for a, b in zip(y.T, p.T)]))
    for k, v in truth.items(): assert abs(metric(k, y).f(y, p, w[None])[0] - v) < 1e-12, k


def test_calibration_is_over_all_answers():
    y, p, _ = decisions()
    flat = np.c_[1 - p.ravel(), p.ravel()]
    assert abs(score('ece', y, p) - score('ece', y.ravel(), flat)) < 1e-12
    pd.testing.assert_frame_equal(reliability(y, p), reliability(y.ravel(), flat))


def test_metrics_by_name():
    assert headline('multilabel') == 'pr_auc' and METRICS['multilabel'].keys() == METRICS['classification'].keys()
    for k, m in METRICS['multilabel'].items():
        one = metric(k)
        assert (m.higher, m.lo, m.hi, m.words) == (one.higher, one.lo, one.hi, one.words) and better(k) == (1 if m.higher else -1)
    with pytest.raises(RecipeError): headline('multilabel', 'r2')


def test_labels_that_no_row_has_are_left_out():
    y, p, _ = decisions(k=3)
    y[:, 1], y[:, 2] = 0, 1
    s = score_all('multilabel', y, p)
    assert s['roc_auc'] == pytest.approx(skm.roc_auc_score(y[:, 0], p[:, 0]), abs=1e-12)
    assert s['balanced_accuracy'] == pytest.approx(skm.balanced_accuracy_score(y[:, 0], p[:, 0] >= .5), abs=1e-12)
    assert all(v is not None and np.isfinite(v) for v in s.values())
    assert score('pr_auc', np.zeros((20, 2), int), p[:20, :2]) is None and score('accuracy', y, np.full(p.shape, np.nan)) is None


def test_resamples_that_miss_a_label_keep_an_interval():
    y, p, _ = decisions(n=60)
    assert y[:, 3].sum() <= 4
    draws = draw(60, 2, samples=200)
    for name in METRICS['multilabel']:
        v, reps = score(name, y, p), replicates(name, y, [p, p], draws)
        lo, hi = interval(over_seeds(np.array([v, v]), reps, draws))
        assert lo <= v <= hi or name == 'ece', name
    both = np.vstack([y, y]), np.vstack([p, p])
    assert score('pr_auc', *both) == pytest.approx(replicates('pr_auc', y, [p], draw(60, 1, samples=1))[0, 0], abs=.3)


def test_a_weight_is_a_row_that_often():
    y, p, w = decisions(n=80)
    again = np.repeat(np.arange(80), w.astype(int))
    for name in ('accuracy', 'balanced_accuracy', 'f1', 'roc_auc', 'pr_auc', 'log_loss'):
        assert metric(name, y).f(y, p, w[None])[0] == pytest.approx(score(name, y[again], p[again]), abs=1e-12), name


@pytest.mark.parametrize('seed', range(4))
def test_both_sides_have_each_label(seed):
    rng = np.random.default_rng(seed)
    y = (rng.uniform(size=(150, 8)) < np.geomspace(.6, .02, 8)).astype(int)
    for cluster in (None, np.arange(150)//3):
        a, b = split(y, .25, seed, 'multilabel', cluster)
        assert sorted([*a, *b]) == list(range(150)) and .2 <= len(b)/150 <= .3
        if cluster is not None: assert not set(cluster[a]) & set(cluster[b])
        for k in range(8):
            if y[:, k].sum() >= 4: assert y[a, k].any() and y[b, k].any(), k
        np.testing.assert_array_equal(b, split(y, .25, seed, 'multilabel', cluster)[1])
    frequent = y.mean(0) > .2
    a, b = split(y, .25, seed, 'multilabel')
    assert np.abs(y[a].mean(0) - y[b].mean(0))[frequent].max() < .12


def test_strata_and_order_of_labels():
    y = np.array([[1, 0, 0]]*20 + [[1, 1, 0]]*20 + [[1, 1, 1], [0, 0, 1], [0, 0, 0]])
    s = strata(y, 'multilabel')
    assert len(set(s[:20])) == len(set(s[20:40])) == 1 and s[0] != s[20] and s[40] == s[41] != s[42]
    assert len(set(combinations(y))) == 5 and y[order(y, 0, 'multilabel')[:4]].any(0).all()
    assert len(split(np.empty((0, 3), int), .25, 0, 'multilabel')[0]) == 0 and len(order(np.empty((0, 3), int), 0, 'multilabel')) == 0


def test_a_table_is_read(tmp_path):
    frame = pets()
    frame.loc[0, 'pets'], frame.loc[1, 'pets'] = ' dog ;cat;; dog', np.nan
    ds = loaded(frame, tmp_path)
    assert ds.task == 'multilabel' and ds.classes == list(NAMES) and ds.y.shape == (320, 4) and ds.y.dtype == np.int64
    assert ds.said([0, 1]) == ['cat;dog', ''] and ds.said([1], 'none') == ['none']
    assert ds.to_frame().pets.iloc[0] == 'cat;dog' and '4 labels' in repr(ds)
    counts = ds.assess().counts
    assert counts['classes']['cat'] == [int(ds.y[ds.train, 0].sum()), int(ds.y[ds.judged, 0].sum())] and counts['no_label'] == int((ds.y.sum(1) == 0).sum())
    assert not any('without a target' in w.message for w in ds.assess().warnings)
    for fit, valid in (ds.inner(0), ds.inner(0, 60)): assert ds.y[fit].any(0).all() and ds.y[valid].any(0).all()
    assert ds.y[ds.sample(8)].any(0).all()


@pytest.mark.parametrize('options,said', [(dict(data_separator=' '), True), (dict(data_separator='', data_task='multilabel'), True), (dict(data_separator=None), False)])
def test_separators(tmp_path, options, said):
    frame = pets()
    if options['data_separator'] == ' ': frame['pets'] = frame.pets.str.replace(';', '')
    ds = loaded(frame, tmp_path, **options)
    assert (ds.task == 'multilabel') is said and (len(ds.classes) == 4) is said


def test_numbers_and_commas_are_labels(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(dict(x=rng.normal(size=80), pets=[','.join(str(k) for k in range(1, 12, 5) if rng.random() < .6) for _ in range(80)]))
    assert loaded(frame, tmp_path, sep=';', data_separator=',').classes == ['1', '6', '11']
    few = frame.assign(pets=[o.split(',')[0] for o in frame.pets])   # never two in a row: read as numbers, with gaps
    assert loaded(few, tmp_path, data_separator=';').classes == ['1', '6', '11']


@pytest.mark.parametrize('cells,options,said', [
    (['a', 'a;', ''], {}, 'only one label'), (['', ' ', ';'], {}, 'no label in any row'), ([f'n{i}' for i in range(40)], {}, 'too many labels'),
    (['a;b', 'b', 'a'], dict(data_positive='pets == a'), 'data.positive'), (['a;b', 'b', 'a'], dict(data_task='regression'), 'data.separator makes several labels'),
    (['a;b'], {}, 'one combination')])
def test_what_cannot_be_learned_is_said_in_one_line(tmp_path, cells, options, said):
    frame = pd.DataFrame(dict(x=np.random.default_rng(0).normal(size=60), pets=(cells*60)[:60]))
    with pytest.raises((DataError, RecipeError), match=said) as e: loaded(frame, tmp_path, **options)
    assert '\n' not in str(e.value)


def test_copies_with_other_labels_are_told(tmp_path):
    frame = pd.concat([pets(), pets()[:4].assign(pets=['owl', 'cat;dog;hen;owl', 'owl', 'hen;owl'])])
    found = {w.code: w for w in loaded(frame, tmp_path).notes}
    assert 'other labels' in found['conflicting_label'].message and found['conflicting_label'].count in (6, 8)


def test_labels_that_are_rare_or_everywhere_are_told(tmp_path):
    frame = pets()
    frame['pets'] = 'fly;' + frame.pets.fillna('')
    frame.loc[5, 'pets'] = 'fly; yak'
    small = next(w for w in loaded(frame, tmp_path).assess().warnings if w.code == 'class_too_small')
    assert "'fly': 0 without it, all to train on have it" in small.where and "'yak': 1 with it" in small.where and small.count == 2
    y = np.zeros((500, 3), int)
    y[:300, 0], y[:200, 1], y[:15, 2] = 1, 1, 1
    assert [w.code for w in class_warnings(y, list('abc'), y)] == ['class_imbalance']


def test_a_column_that_gives_one_label_away(tmp_path):
    ds = loaded(pets().assign(owns=lambda d: np.where(d.pets.str.contains('dog'), 'yes', 'no')), tmp_path)
    leak = [w for w in ds.assess().warnings if w.code == 'target_leak']
    assert len(leak) == 1 and "'owns'" in leak[0].where and leak[0].count == 1


def test_simple_models_of_labels(tmp_path):
    ds = loaded(pets(), tmp_path)
    y = np.c_[ds.y, np.zeros(len(ds.y), int), np.ones(len(ds.y), int), np.arange(len(ds.y)) == ds.train[0]].astype(int)
    for name, e in ds.kind.simple('multilabel', 0).items():
        p = e.fit(ds.frame.iloc[ds.train], y[ds.train]).score(ds.frame.iloc[ds.judged])
        assert p.shape == (ds.n_judged, 7) and ((p >= 0) & (p <= 1)).all(), name
        assert p[:, 4].max() < .01 and p[:, 5].min() > .99 and score('roc_auc', ds.y[ds.judged], p[:, :4]) > .8, name


def test_items_to_explain():
    y, p, _ = decisions()
    y[0], p[0] = [1, 0, 0, 0], [0, .5, .5, .5]
    got = choose(y, p, list(NAMES), 9)
    assert len(got) == len(dict(got)) == 9 and got[0] == (0, 'worst loss') and sum(w == 'worst loss' for _, w in got) == 5
    for i, w in got[5:]:
        assert not y[i].any() if w == 'typical of no label' else y[i, list(NAMES).index(w.removeprefix('typical of '))]
    assert len(choose(y[:6], p[:6], list(NAMES), 9)) == 6


def biased(n=1200, seed=0, gap=.4):
    rng = np.random.default_rng(seed)
    y, g = (rng.uniform(size=(n, 3)) < .5).astype(int), rng.choice(['f', 'm'], n)
    p = np.where(rng.uniform(size=y.shape) < .9, y, 1 - y).astype(float)
    p[:, 1] = np.where((g == 'm') & (rng.uniform(size=n) < gap), 0, p[:, 1])
    return y, p, g


def test_bias_names_the_label():
    y, p, g = biased()
    d = check_bias(y_true=pd.DataFrame(y, columns=list('abc')), y_pred=p, groups=pd.Series(g, name='sex')).to_dict()
    gaps = {o['metric']: o for o in d['gaps']}
    worst = gaps['equal_opportunity_difference']
    tpr = {s: p[(g == s) & (y[:, 1] == 1), 1].mean() for s in 'fm'}
    assert d['verdict'] == 'fail' and worst['class'] == 'b' and worst['lowest'] == 'm' and worst['value'] == pytest.approx(tpr['f'] - tpr['m'], abs=1e-12)
    assert worst['interval'][0] < worst['value'] < worst['interval'][1] and d['positive'] is None and d['labels'] == list('abc')
    mean = next(o for o in d['groups'] if o['group'] == 'm' and o['metric'] == 'true_positive_rate' and 'class' not in o)
    each = [o['value'] for o in d['groups'] if o['group'] == 'm' and o['metric'] == 'true_positive_rate' and 'class' in o]
    assert len(each) == 3 and mean['value'] == pytest.approx(np.mean(each)) and mean['interval'][0] <= mean['value'] <= mean['interval'][1]
    y, p, g = biased(n=6000, gap=0)
    even = check_bias(y_true=y, y_pred=p, groups=g)
    assert even.verdict == 'pass' and 'label' in even._repr_html_()


def test_bias_of_a_label_is_that_of_two_classes():
    y, p, g = biased()
    many = check_bias(y_true=y, y_pred=p, groups=g).to_dict()['groups']
    for o in check_bias(y_true=y[:, 1], y_pred=p[:, 1].astype(int), groups=g).to_dict()['groups']:
        same = next(m for m in many if m.get('class') == '1' and m['group'] == o['group'] and m['metric'] == o['metric'])
        assert same['value'] == pytest.approx(o['value'], abs=1e-12) and same['out_of'] == o['out_of']
        np.testing.assert_allclose(same['interval'], o['interval'], atol=.02)


def test_intervals_of_means_over_labels_hold():
    "Ten rare labels of which seven of ten are found, in one group of 150 rows"
    from tlnb.measures import Measured
    from tlnb.gaps import interval
    rng, held = np.random.default_rng(0), []
    for _ in range(150):
        with_any = rng.uniform(size=(150, 1))
        y = (.7*with_any + .3*rng.uniform(size=(150, 10)) < .15).astype(int)
        p = np.where(rng.uniform(size=y.shape) < .7, y, 0)
        v, _, draws = Measured(y, p, np.full(150, 'a'), list('abcdefghij'), 200, rng).overall['true_positive_rate']
        lo, hi = interval(draws, v)
        held.append(lo[0] <= .7 <= hi[0])
    assert .88 <= np.mean(held) <= .99, np.mean(held)


@pytest.mark.parametrize('y,p,said', [(np.ones((5, 2)), np.ones((5, 3)), 'do not fit'), (np.full((5, 2), 3), np.ones((5, 2)), '0 or 1'), (np.ones((5, 2)), np.full((5, 2), 1.5), 'probability')])
def test_bias_of_what_does_not_fit(y, p, said):
    with pytest.raises(DataError, match=said): check_bias(y_true=y, y_pred=p, groups=list('aabbb'))


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    from tlnb.adapt import adapt
    folder = tmp_path_factory.mktemp('pets')
    ds = loaded(pets(), folder, sensitive=['sex'], source_data=written(pets(900, 1), folder, 'source.csv'), train_epochs=4, run_seeds=2, run_jobs=1, tabular_layers=[16],
        explain_evaluations=40, explain_background=8, explain_items=4, bias_bootstrap=200, transfer_curve=[60])
    return adapt(ds, folder=folder/'run')


def test_from_the_table_to_the_report(run):
    "Every arm is trained and judged, the model is explained and checked, the report is valid"
    from jsonschema import Draft202012Validator
    from tlnb.card import card
    from tlnb.evaluate import evaluate
    from tlnb.explain import explain
    from tlnb.report import report
    ds, j = run.dataset, evaluate(run)
    arms = {k: o for k, o in j.arms.items() if 'skipped' not in o}
    assert j.metric == 'pr_auc' and {'majority', 'simple', 'from_scratch', 'feature_extraction', 'fine_tuning'} <= arms.keys() and j.transfer['verdict'] != 'not_applicable'
    assert arms['majority']['value'] == pytest.approx(ds.y[ds.judged].mean(), abs=1e-9)   # average precision of what says nothing: how often a label comes
    assert arms['fine_tuning']['value'] > arms['majority']['value'] + .2 and j.transfer['labels_needed']['sizes'] == [60, 240] and j.calibration['simple']
    why = explain(run).to_dict()
    assert all(i['explained'] in NAMES for i in why['items']) and not why['marked'] and why['unit'] == 'probability'
    worst = [i for i in why['items'] if i['why'] == 'worst loss']
    for i in worst: assert (i['explained'] in i['label']) != (i['explained'] in i['predicted']) or i['label'] == i['predicted']
    bias = check_bias(run)
    assert bias.info['sensitive'] == ['sex'] and {g.get('class') for g in bias.info['gaps']} <= set(NAMES) and bias.verdict in ('pass', 'fail', 'undecided')
    made, text = report(run), str(card(run))
    schema = json.loads((ROOT/'tlnb/report.schema.json').read_text())
    assert [f'{list(e.path)}: {e.message}'[:200] for e in Draft202012Validator(schema).iter_errors(json.loads((run.folder.path/'report.json').read_text()))] == []
    assert '4 labels to predict' in made.lines()[0] and 'any of' in text
    html = str(made.to_html())
    assert 'mean over labels' in html and 'PR-AUC' in html


def test_predictions_name_the_labels(run):
    said = run.predict(run.dataset.frame[:6])
    p = said[[f'p({c})' for c in NAMES]].to_numpy()
    assert said.predicted.tolist() == [';'.join(NAMES[o >= .5]) for o in p]


def test_the_panel_shows_labels(tmp_path):
    from tlnb.data_panel import balance_html, data_panel, sample_html
    ds = loaded(pets(), tmp_path)
    html = str(balance_html(ds.assess().counts, 'pets'))
    cat = int(ds.y[ds.train, 0].sum())
    assert f'{cat:,} ({cat/ds.n_train:.1%})' in html
    assert 'cat;' in str(sample_html(ds)) and data_panel(ds) and ds.plot()
