"Every metric equals scikit-learn's, also under weights; what is undefined is None."
import warnings

import numpy as np
import pytest
from sklearn import metrics as skm

from tlnb.bootstrap import draw, replicates
from tlnb.metrics import METRICS, better, headline, reliability, score, score_all
from tlnb.errors import RecipeError

RNG = np.random.default_rng(7)


def table(n, classes, ties):
    y = RNG.integers(0, classes, n)
    p = RNG.dirichlet(np.ones(classes), n) + 0.6*np.eye(classes)[y]*RNG.uniform(size=(n, 1))
    if ties: p = p.round(1) + 0.01
    return y, p/p.sum(1, keepdims=True)


def reference(name, y, p, w):
    hard, two = p.argmax(1), p.shape[1] == 2
    s = {'sample_weight': w}
    if name == 'accuracy': return skm.accuracy_score(y, hard, **s)
    if name == 'balanced_accuracy': return skm.balanced_accuracy_score(y, hard, **s)
    if name == 'f1': return skm.f1_score(y, hard, average='binary' if two else 'macro', **s)
    if name == 'log_loss': return skm.log_loss(y, p, **s)
    each = {'roc_auc': skm.roc_auc_score, 'pr_auc': skm.average_precision_score}[name]
    return each(y, p[:, 1], **s) if two else np.mean([each(y == c, p[:, c], **s) for c in range(p.shape[1])])


@pytest.mark.parametrize('classes', [2, 3, 7])
@pytest.mark.parametrize('ties', [False, True])
@pytest.mark.parametrize('name', [o for o in METRICS['classification'] if o != 'ece'])
def test_classification(name, classes, ties):
    y, p = table(300, classes, ties)
    w = RNG.integers(0, 4, (5, 300)).astype(float)
    got = METRICS['classification'][name].f(y, p, w)
    assert np.allclose(got, [reference(name, y, p, o) for o in w], atol=1e-10)
    assert np.isclose(score(name, y, p), reference(name, y, p, np.ones(300)), atol=1e-10)


@pytest.mark.parametrize('name,ref', [('mae', skm.mean_absolute_error), ('rmse', skm.root_mean_squared_error), ('r2', skm.r2_score)])
def test_regression(name, ref):
    y = RNG.normal(1e6, 3, 200)
    p = (y + RNG.normal(size=200))[:, None]
    w = RNG.integers(0, 4, (5, 200)).astype(float)
    got = METRICS['regression'][name].f(y, p, w)
    assert np.allclose(got, [ref(y, p[:, 0], sample_weight=o) for o in w], rtol=1e-6)


def test_weights_are_repeated_rows():
    y, p = table(80, 3, True)
    rows = RNG.integers(0, 80, 80)
    w = np.bincount(rows, minlength=80)[None].astype(float)
    for name, m in METRICS['classification'].items():
        if name != 'ece': assert np.isclose(m.f(y, p, w)[0], score(name, y[rows], p[rows])), name


@pytest.mark.parametrize('classes', [2, 3])
def test_a_resample_that_misses_a_class_keeps_the_scale(classes):
    "A majority's mean over classes is the same in every resample; what was measured of the missed class stays"
    y = np.r_[np.zeros(40, int), np.arange(1, classes).repeat(2)]
    draws = draw(len(y), 1, samples=400)
    missed = (draws.rows[:, y == classes - 1] == 0).all(1)
    assert 20 < missed.sum() < 120
    guess = np.tile(np.eye(classes)[0], (len(y), 1))
    assert np.allclose(replicates('balanced_accuracy', y, [guess], draws), 1/classes)
    if classes == 2: return
    for name in ('roc_auc', 'pr_auc', 'f1'):
        reps, value = replicates(name, y, [guess], draws)[:, 0], score(name, y, guess)
        assert np.isfinite(reps).all() and abs(reps[missed].mean() - value) < .03, (name, reps[missed].mean(), value)


def test_ece_of_known_predictions():
    "Half of what is said with 0.9 comes true: the error is 0.4"
    y = np.tile([0, 1], 100)
    p = np.tile([0.1, 0.9], (200, 1))
    assert np.isclose(score('ece', y, p), 0.4)
    assert reliability(y, p).to_dict('records') == [{'confidence': pytest.approx(0.9), 'true': 0.5, 'n': 200}]


def test_reliability_bins_have_equal_mass():
    y, p = table(1000, 2, False)
    assert reliability(y, p).n.between(95, 105).all()


@pytest.mark.parametrize('case', ['one class', 'missing class', 'nan', 'no rows'])
def test_undefined_is_none_and_never_a_crash(case):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        if case == 'one class':
            s = score_all('classification', np.zeros(9, int), np.full((9, 2), .5))
            assert s['roc_auc'] is None and s['pr_auc'] is None and s['accuracy'] == 1 and s['f1'] is None
        if case == 'missing class':
            y, p = table(40, 3, False)
            s = score_all('classification', np.where(y == 2, 1, y), p)
            assert all(v is not None for v in s.values())
        if case == 'nan': assert set(score_all('classification', np.array([0, 1]), np.full((2, 2), np.nan)).values()) == {None}
        if case == 'no rows': assert set(score_all('regression', np.array([]), np.empty((0, 1))).values()) == {None}


@pytest.mark.parametrize('value', [0.1, 1e6, 0.])
def test_r2_of_a_constant_target_is_none(value):
    assert score('r2', np.full(7, value), np.full((7, 1), 2.)) is None


def test_names():
    assert [headline(t) for t in METRICS] == ['accuracy', 'pr_auc', 'r2']
    assert {n for ms in METRICS.values() for n in ms if better(n) < 0} == {'log_loss', 'ece', 'mae', 'rmse'}
    with pytest.raises(RecipeError, match='roc_auc'): headline('classification', 'rocauc')
