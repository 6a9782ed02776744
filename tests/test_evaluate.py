"The verdict: what is planted is found, what is not is not, and everything that can be missing may be missing"
import json

import numpy as np
import pytest
from planted import Planted

from tlnb.bootstrap import Draws, draw, interval, over_seeds, replicates, stretch
from tlnb.errors import RecipeError, StoppedError
from tlnb.evaluate import compare, evaluate, verdict
from tlnb.metrics import METRICS, score

EQUAL = dict(majority=.55, simple=.74, from_scratch=.72)
TRANSFER = dict(source_unchanged=.70, feature_extraction=.72, domain_adaptation=.71)


def judged(folder, fine_tuning, **kwargs): return evaluate(Planted(folder, {**EQUAL, **TRANSFER, 'fine_tuning': fine_tuning}, **kwargs))


@pytest.mark.parametrize('planted,found', [(.84, 'helped'), (.745, 'no_difference')])
def test_verdict(tmp_path, planted, found):
    j = judged(tmp_path, planted)
    assert j.transfer['verdict'] == found
    assert j.transfer['interval'][0] <= j.transfer['gain'] <= j.transfer['interval'][1]


def test_hurt(tmp_path):
    j = evaluate(Planted(tmp_path, {'simple': .80, 'from_scratch': .74, 'fine_tuning': .66}))
    assert j.transfer['verdict'] == 'hurt' and j.transfer['versus'] == 'simple' and j.transfer['gain'] < -.1


def test_gain_is_the_paired_difference(tmp_path):
    "Of the two arms that the inner split chose, whatever looks best on the judged rows"
    run = Planted(tmp_path, {**EQUAL, **TRANSFER, 'fine_tuning': .8}, seed=4)
    j = evaluate(run)
    t, y = j.transfer, run.dataset.y[run.dataset.judged]
    acc = {k: np.mean([score('accuracy', y, run.predictions(k, s)['judged']) for s in range(3)]) for k in run.truth}
    assert np.isclose(t['gain'], acc[t['best']] - acc[t['versus']])
    for side, chosen in (('transfer', t['best']), ('other', t['versus'])):
        inner = {k: o['inner'] for k, o in j.arms.items() if o.get('side') == side}
        assert chosen == max(inner, key=inner.get)


@pytest.mark.parametrize('metric', list(METRICS['classification']))
def test_every_metric_of_classes(tmp_path, metric):
    j = judged(tmp_path, .84, metric=metric, transfer_labels_needed=False)
    assert j.metric == metric and j.transfer['gain'] > (-1 if metric == 'ece' else 0)
    for o in j.arms.values(): assert o['interval'][0] <= o['value'] <= o['interval'][1], metric
    assert j.transfer['verdict'] != 'hurt' or metric == 'ece'


@pytest.mark.parametrize('metric', list(METRICS['regression']))
def test_every_metric_of_numbers(tmp_path, metric):
    "Where less is better the gain is turned: it is positive where transfer is better"
    run = Planted(tmp_path, dict(simple=.5, from_scratch=.45, fine_tuning=.8), classes=0, metric=metric)
    j = evaluate(run)
    assert j.transfer['verdict'] == 'helped' and j.transfer['gain'] > 0 and j.calibration == {}
    assert j.transfer['labels_needed']['ratio'] < .7


def test_no_source(tmp_path):
    j = evaluate(Planted(tmp_path, EQUAL, source=None))
    t = j.transfer
    assert t['verdict'] == 'not_applicable' and t['reason'] == 'no source model was named' and t['labels_needed_reason']
    assert set(j.arms) == {*EQUAL, *TRANSFER, 'fine_tuning'} and all('skipped' in j.arms[k] for k in TRANSFER)


def test_skipped_arms_say_why(tmp_path):
    run = Planted(tmp_path, {**EQUAL, 'fine_tuning': .8}, skipped=dict(source_unchanged='the source knows other classes', feature_extraction='the same'))
    j = evaluate(run)
    assert j.arms['source_unchanged'] == dict(skipped='the source knows other classes') and j.transfer['best'] == 'fine_tuning'


def test_fixed_strategy(tmp_path):
    j = judged(tmp_path, .84, strategy='feature_extraction')
    assert j.transfer['best'] == 'feature_extraction'


def test_baselines(tmp_path):
    run = Planted(tmp_path, {**EQUAL, **TRANSFER})
    assert evaluate(run, baselines=('from_scratch',)).transfer['versus'] == 'from_scratch'
    t = evaluate(run, baselines=()).transfer
    assert t['verdict'] == 'not_applicable' and 'no arm without transfer' in t['reason']


def stopped_at(run, lacking):
    "The same run, asked to stop, without these arms"
    run.folder.request_stop()
    whole = run.arms
    run.arms = lambda size=None: {k: ps for k, ps in whole(size).items() if k not in lacking}
    return run


def test_stopped(tmp_path):
    "What was asked for and is not there is named, and the verdict on what is there says that it is not all"
    arms = {**EQUAL, **TRANSFER, 'fine_tuning': .84}
    j = evaluate(stopped_at(Planted(tmp_path/'a', arms), ('majority', 'from_scratch', 'feature_extraction')))
    said = dict(skipped='the run was stopped before')
    assert j.stopped and [j.arms[k] for k in ('majority', 'from_scratch', 'feature_extraction')] == [said]*3
    assert j.transfer['verdict'] == 'helped' and j.transfer['reason'].endswith('; the run was stopped before everything was trained')
    assert 'was stopped' in j.notes[0] and '>stopped</span>' in j._repr_html_()
    j = evaluate(stopped_at(Planted(tmp_path/'b', arms, stop_after=1), ())) # within the curve
    assert j.stopped and not any('skipped' in o for o in j.arms.values())
    j = evaluate(stopped_at(Planted(tmp_path/'c', arms), ())) # asked to when all was there
    assert not j.stopped and 'stopped' not in str(j.to_dict()['notes']) + j.transfer['reason']
    with pytest.raises(StoppedError, match='stopped before anything could be judged'): evaluate(stopped_at(Planted(tmp_path/'d', arms), tuple(arms)))


def test_nothing_finished(tmp_path):
    with pytest.raises(RecipeError, match='nothing to judge'): evaluate(Planted(tmp_path, {}))


def test_only_common_seeds(tmp_path):
    run = Planted(tmp_path, {**EQUAL, 'fine_tuning': .8})
    whole = run.arms
    run.arms = lambda size=None: {k: [p for p in ps if k != 'fine_tuning' or p['seed'] < 2] for k, ps in whole(size).items()}
    j = evaluate(run)
    assert j.transfer['seeds'] == 2 and 'Only 2 of 3 seeds' in j.notes[0]


def test_one_seed(tmp_path):
    j = judged(tmp_path, .84, seeds=1)
    assert j.transfer['verdict'] == 'helped' and any('one seed' in o for o in j.notes)


def test_every_note_that_applies(tmp_path):
    notes = judged(tmp_path, .84, seeds=1, n=40).notes
    assert any('one seed' in o for o in notes) and any('40 judged rows' in o for o in notes)


def test_undefined_metric(tmp_path):
    "One class among the judged rows: there is no ROC-AUC, and that is said"
    run = Planted(tmp_path, {**EQUAL, **TRANSFER}, metric='roc_auc')
    run.dataset.y[run.dataset.judged] = 0
    j = evaluate(run)
    assert j.transfer['verdict'] == 'not_applicable' and 'roc_auc' in j.transfer['reason'] and j.arms['simple']['value'] is None
    assert j.arms['simple']['interval'] is None and len(j.to_frame()) == len({**EQUAL, **TRANSFER}) and j._repr_html_()


def test_stopped_before_the_curve(tmp_path):
    j = judged(tmp_path, .84, stop_after=0)
    assert j.transfer['labels_needed'] is None and 'stopped' in j.transfer['labels_needed_reason'] and j.transfer['verdict'] == 'helped'


def test_part_of_the_curve(tmp_path):
    j = judged(tmp_path, .84, stop_after=4)
    assert len(j.transfer['labels_needed']['sizes']) == 3


def test_written_and_repeatable(tmp_path):
    run = Planted(tmp_path, {**EQUAL, **TRANSFER})
    a, b = evaluate(run), evaluate(run)
    assert a.to_dict() == b.to_dict()
    assert json.loads((tmp_path/'judgement.json').read_text())['transfer']['interval'] == a.transfer['interval']


def test_clusters_are_drawn_whole(tmp_path):
    "Thirty rows that are ten rows three times are no more than ten rows"
    y = np.tile(np.random.default_rng(0).integers(0, 2, 400), 3)
    p = np.eye(2)[np.where(np.tile(np.random.default_rng(1).uniform(size=400) < .7, 3), y, 1 - y)]
    wide = {}
    for name, cluster in (('rows', None), ('clusters', np.tile(np.arange(400), 3))):
        draws = draw(1200, 1, cluster=cluster)
        lo, hi = interval(over_seeds(np.array([score('accuracy', y, p)]), replicates('accuracy', y, [p], draws), draws))
        wide[name] = hi - lo
    assert 1.5 < wide['clusters']/wide['rows'] < 2
    j = evaluate(Planted(tmp_path, {**EQUAL, **TRANSFER}, cluster=np.repeat(np.arange(300), 4)))
    assert any('300 groups' in o for o in j.notes)


def test_draws():
    d = draw(50, 4, samples=30)
    assert d.rows.shape == (30, 50) and (d.rows.sum(1) == 50).all() and np.allclose(d.seeds.sum(1), 1)
    assert (draw(50, 4, samples=30).rows == d.rows).all() and (draw(50, 4, samples=30, seed=1).rows != d.rows).any()
    assert stretch(1, .3) == 0 and np.isclose(stretch(3, 0), 1.5**.5)


def world(rng, gain=0., n=600, k=3, scatter=.015, shared=.3):
    "Row-wise difference [n,k] of two arms; seeds scatter, and the training rows that they share add a part of that variance"
    g = gain + scatter*(np.sqrt(shared)*rng.normal() + rng.normal(size=k))
    u = np.where(rng.uniform(size=(n, 1)) < .6, rng.uniform(size=(n, 1)), rng.uniform(size=(n, k)))
    return (u < .1 + g/2).astype(float) - (u > .9 + g/2)


@pytest.mark.parametrize('k', [3, 5])
def test_error_rates(k):
    "Coverage, false `helped` and found `helped` over 400 made-up studies"
    rng, cover, false, found = np.random.default_rng(k), [], [], []
    for _ in range(400):
        for gain in (0., .1):
            d = world(rng, gain, k=k)
            draws = draw(*d.shape, samples=300, seed=int(rng.integers(1 << 30)))
            span = interval(over_seeds(d.mean(0), draws.rows @ d / len(d), draws))
            cover.append(span[0] <= gain <= span[1])
            (found if gain else false).append(verdict(span, .01) == 'helped')
    assert np.mean(cover) > .93 and np.mean(false) <= .02 and np.mean(found) >= .95


def test_fast():
    "16,000 rows, a thousand resamples: six arms of three seeds by accuracy, six predictions by what needs an order"
    import time
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 16_000)
    ps = [np.c_[1 - s, s] for s in rng.uniform(size=(18, 16_000))]
    for name, ps, most in (('accuracy', ps, 5), ('roc_auc', ps[:6], 15)):
        start = time.process_time()
        replicates(name, y, ps, draw(16_000, 3))
        assert time.process_time() - start < most, name
