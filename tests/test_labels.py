"Labels needed: where a curve crosses the target, with an interval that holds the truth"
import numpy as np
import pytest
from planted import Planted
from sklearn.isotonic import IsotonicRegression

from tlnb.bootstrap import draw
from tlnb.evaluate import evaluate
from tlnb.labels import curve_sizes, labels_needed, needed, rising

SIZES = [20, 40, 80, 160, 320]


def test_rising_is_isotonic_regression():
    rng = np.random.default_rng(0)
    for v in rng.normal(size=(50, 6)): assert np.allclose(rising(v), IsotonicRegression().fit_transform(range(6), v))


def test_sizes():
    assert curve_sizes(19, 2) == [] and curve_sizes(20, 2) == [10, 14, 20]
    for n, c in ((60, 2), (240, 2), (900, 7), (32561, 2), (5000, 0)):
        sizes = curve_sizes(n, c)
        assert sizes == sorted(set(sizes)) and sizes[-1] == n and sizes[0] >= max(10, 5*c) and len(sizes) <= 5
        assert sum(sizes[:-1]) < n*1.1 or n < 100
    assert curve_sizes(240, 2, [120, 60, 60, 240, 999, 2]) == [60, 120, 240]


@pytest.mark.parametrize('target,expect', [(.5, 20), (.65, 40*2**.5), (.7, 80), (.81, np.inf)])
def test_needed(target, expect):
    v = np.array([[.5, .6, .7, .75, .8]])
    assert np.allclose(needed(SIZES, v, target), expect)


def test_needed_without_a_value():
    assert np.isnan(needed(SIZES, np.array([[.5, np.nan, .7, .75, .8]]), .6)[0])


def simulated(rng, arms, n=800, k=3, scatter=.01):
    "Predictions of k seeds at each size, of known expected accuracy"
    y, hard = rng.integers(0, 2, n), rng.uniform(size=n)
    def right(share):
        mix = .7*hard + .3*rng.uniform(size=n)
        return mix < np.quantile(mix, np.clip(share + scatter*rng.normal(), 0, 1))
    preds = {side: [[np.eye(2)[np.where(right(start + slope*i), y, 1 - y)] for _ in range(k)] for i in range(5)] for side, (start, slope) in arms.items()}
    return y, preds


@pytest.mark.parametrize('target', ['auto', .76])
def test_interval_holds_the_truth(target):
    "From scratch 0.64 and 4 points a doubling, with transfer 0.72 and 3: over 60 made-up studies"
    arms, rng, hits, ratios = dict(transfer=(.72, .03), from_scratch=(.64, .04)), np.random.default_rng(1), [], []
    aim = .80 if target == 'auto' else target
    truth = {side: 20*2**((aim - start)/slope) for side, (start, slope) in arms.items()}
    for i in range(60):
        y, preds = simulated(rng, arms)
        got = labels_needed(SIZES, preds, y, name='accuracy', draws=draw(800, 3, samples=300, seed=i), target=target)
        lo, hi = got['transfer_interval']
        hits.append(lo - 1 <= truth['transfer'] <= (np.inf if hi is None else hi))
        if got['ratio_interval']: ratios.append(got['ratio_interval'][0] - .01 <= truth['transfer']/truth['from_scratch'] <= (got['ratio_interval'][1] or np.inf))
        assert got['transfer'] is None or lo <= got['transfer'] <= (hi or np.inf)
    assert np.mean(hits) >= .9 and np.mean(ratios) >= .9


def test_not_reached():
    y, preds = simulated(np.random.default_rng(0), dict(transfer=(.72, .03), from_scratch=(.5, .02)))
    got = labels_needed(SIZES, preds, y, name='accuracy', draws=draw(800, 3, samples=300), target=.75)
    assert got['from_scratch'] is None and got['not_reached_by'] == 320 and got['ratio'] is None and got['transfer'] < 80
    assert got['ratio_interval'][1] < 1   # at least that much is known


def test_smallest_size_is_enough():
    "Both sides arrive at once: between none and 20 labels, and nothing is known of the ratio"
    y, preds = simulated(np.random.default_rng(0), dict(transfer=(.9, .01), from_scratch=(.9, .01)))
    got = labels_needed(SIZES, preds, y, name='accuracy', draws=draw(800, 3, samples=300), target=.7)
    assert got['transfer'] == 20 and got['transfer_at_most'] and got['transfer_interval'] == [0, 20]
    assert got['ratio'] is None and got['ratio_interval'] == [0, None] and 'not_reached_by' not in got


def test_less_is_better():
    "Log loss falls: the target is reached from above"
    y, preds = simulated(np.random.default_rng(0), dict(transfer=(.72, .03), from_scratch=(.64, .04)))
    soft = {side: [[.1 + .8*p for p in ps] for ps in sizes] for side, sizes in preds.items()}
    got = labels_needed(SIZES, soft, y, name='log_loss', draws=draw(800, 3, samples=300))
    assert 20 <= got['transfer'] < 320 and got['curve'][0]['value'] > got['curve'][4]['value']


def test_unchanged_source_needs_none(tmp_path):
    run = Planted(tmp_path, dict(simple=.7, from_scratch=.72, source_unchanged=.85))
    d = evaluate(run).transfer['labels_needed']
    assert d['transfer'] == 0 and d['ratio'] == 0 and not any(k == 'source_unchanged' for k, _ in run.trained)


def test_recipe(tmp_path):
    arms = dict(simple=.7, from_scratch=.72, fine_tuning=.8)
    d = evaluate(Planted(tmp_path, arms, transfer_curve=[50, 100, 200], transfer_target_value=.7)).transfer['labels_needed']
    assert d['sizes'] == [50, 100, 200, 320] and d['target_value'] == .7 and d['target'] == 'stated'
    t = evaluate(Planted(tmp_path, arms, transfer_labels_needed=False)).transfer
    assert t['labels_needed'] is None and t['labels_needed_reason'] == 'transfer.labels_needed is false'
    t = evaluate(Planted(tmp_path, dict(simple=.7, fine_tuning=.8))).transfer
    assert t['labels_needed_reason'] == 'from_scratch was not trained' and t['compute']['ratio'] is None
