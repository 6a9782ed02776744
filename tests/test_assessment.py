"Each warning is given where its reason was planted, with count, place and cure, and is silent on a clean table"
import numpy as np
import pandas as pd
import pytest

from tlnb.assessment import CODES
from tlnb.dataset import load
from tlnb.recipe import Recipe


def clean(seed=0, n=400, task='classification'):
    "A table with nothing wrong: mixed types, a real but imperfect relation to the target"
    rng = np.random.default_rng(seed)
    t = pd.DataFrame({'age': rng.integers(18, 90, n), 'income': rng.lognormal(8, .5, n).round(2),
        'height': rng.normal(171, 9, n).round(1), 'weight': rng.normal(75, 12, n),
        'town': rng.choice(['Graz', 'Ulm', 'Bern', 'Linz'], n), 'member': rng.choice([True, False], n),
        'joined': (pd.Timestamp('2020-01-01') + pd.to_timedelta(rng.integers(0, 1500, n), 'D')).strftime('%Y-%m-%d'),
        'visits': rng.poisson(3, n)})
    risk = (t.age-54)/20 + np.log(t.income)-8 + (t.town == 'Ulm') + rng.normal(0, 1, n)
    return t.assign(target=np.where(risk > 0, 'yes', 'no') if task == 'classification' else 10*risk + 50)

@pytest.fixture
def assess(tmp_path):
    "Writes a table and assesses it"
    def call(table, **options):
        table.to_csv(tmp_path/'data.csv', index=False)
        d = load(Recipe.for_tabular(data=str(tmp_path/'data.csv'), target='target', **options))
        return d, d.assess()
    return call

def only(assessment, code, count=None):
    "The one warning that there is, complete"
    assert assessment.codes == [code], assessment
    w, = assessment.warnings
    assert w.code in CODES and w.message and w.cure and w.count > 0 and '\n' not in str(w)
    if count is not None: assert w.count == count, w
    return w


@pytest.mark.parametrize('task', ['classification', 'regression'])
@pytest.mark.parametrize('seed', range(10))
def test_silence_on_a_clean_table(assess, seed, task):
    for n in (60, 400): assert assess(clean(seed, n, task))[1].codes == []

def test_silence_on_many_clean_tables(assess):
    "False alarms over 60 clean tables of other shapes"
    alarms = []
    for seed in range(60):
        rng = np.random.default_rng([1, seed])
        n, t = int(rng.integers(80, 1500)), {}
        for i in range(int(rng.integers(2, 9))):
            t[f'x{i}'] = [rng.normal(size=n), rng.integers(0, 10, n), rng.choice(list('abcd'), n),
                rng.exponential(100, n).round(1), rng.choice(['on', 'off'], n)][rng.integers(5)]
        t['x'] = rng.normal(size=n)
        alarms += assess(pd.DataFrame(t).assign(target=rng.choice(['no', 'yes', 'maybe'], n)))[1].codes
    assert alarms == []

# ---- copies
def with_part(table, share=.3): return table.assign(part=np.where(np.arange(len(table)) < share*len(table), 'test', 'train'))

def test_duplicates_of_a_given_split_are_not_judged(assess):
    t = with_part(clean())
    t = pd.concat([t, t[t.part == 'train'].iloc[:25].assign(part='test')], ignore_index=True)
    d, a = assess(t, data_split='part')
    only(a, 'duplicate_across_split', 25)
    assert d.judged.tolist() == list(range(120)) and a.counts['left_out'] == 25

def test_duplicates_stay_on_one_side_of_our_split(assess):
    t = clean()
    d, a = assess(pd.concat([t, t.iloc[:40]], ignore_index=True))
    only(a, 'duplicate_across_split', 80)
    inputs = d.frame.astype(str).agg('|'.join, axis=1)
    assert not set(inputs[d.train]) & set(inputs[d.judged])
    for seed in range(3):
        fit, valid = d.inner(seed)
        assert not set(inputs[fit]) & set(inputs[valid])

def test_duplicates_with_row_numbers(assess):
    t = pd.concat([clean(), clean().iloc[:40]], ignore_index=True)
    assert assess(t.assign(id=range(len(t))))[1].codes == ['duplicate_across_split', 'id_like_column']

NEARLY = {'noise': lambda t, rng: t.assign(weight=t.weight+rng.normal(0, .02, len(t))),
    'case': lambda t, rng: t.assign(town=t.town.str.upper()), 'rounding': lambda t, rng: t.assign(income=t.income*1.0005, height=t.height+.1)}

@pytest.mark.parametrize('change', NEARLY)
def test_near_duplicates(assess, change):
    t = clean()
    both = pd.concat([t, NEARLY[change](t.iloc[:30], np.random.default_rng(0))], ignore_index=True)
    d, a = assess(both)
    assert [o.count for o in a.warnings if o.code == 'near_duplicate'] == [60]
    assert all(d.cluster[i] == d.cluster[len(t)+i] for i in range(30))
    given, b = assess(with_part(both.iloc[::-1].reset_index(drop=True)), data_split='part') # the near copies are to be judged
    assert 'near_duplicate' in b.codes and b.counts['left_out'] == 30
    assert not set(given.cluster[given.train]) & set(given.cluster[given.judged])

def test_answers_on_a_form_are_no_duplicates(assess):
    rng = np.random.default_rng(0)
    t = pd.DataFrame({c: rng.choice(['agree', 'disagree'], 300) for c in 'abcd'}).assign(target=rng.choice(['no', 'yes'], 300))
    d, a = assess(t)
    assert a.codes == [] and len(set(d.cluster)) == 300

def test_conflicting_labels(assess):
    t = clean()
    other = t.iloc[:12].assign(target=t.target[:12].map({'no': 'yes', 'yes': 'no'}))
    a = assess(pd.concat([t, other], ignore_index=True))[1]
    assert a.codes == ['duplicate_across_split', 'conflicting_label'] and a.warnings[1].count == 24

# ---- classes
def test_class_too_small(assess):
    t = clean(); t.loc[:3, 'target'] = 'perhaps'
    a = assess(t)[1]
    assert a.codes == ['class_too_small', 'class_imbalance'] and "'perhaps': 4" in a.warnings[0].where

def test_class_imbalance(assess):
    t = clean(n=1000); t['target'] = np.where(np.random.default_rng(0).random(1000) < .05, 'yes', 'no')
    assert only(assess(t)[1], 'class_imbalance', 1).fix == {'transfer.metric': 'balanced_accuracy'}

def test_class_that_only_judged_rows_have(assess):
    t = with_part(clean()); t.loc[:19, 'target'] = 'perhaps'
    assert 'none to train on' in assess(t, data_split='part')[1].warnings[0].where

# ---- columns
def test_missing_values(assess):
    t = clean(); t.loc[:29, 'weight'] = None; t.loc[20:39, 'town'] = None
    assert only(assess(t)[1], 'missing_values', 40).where == "'weight': 30, 'town': 20"

def test_constant_column(assess):
    d, a = assess(clean().assign(country='AT'))
    assert only(a, 'constant_column', 1).where == "'country'" and 'country' not in d.frame
    d, a = assess(clean().assign(country='AT'), data_keep=['country'])
    assert 'country' in d.frame
    t = with_part(clean()).assign(ward=lambda t: np.where(t.part == 'train', 1., t.age))
    assert only(assess(t, data_split='part')[1], 'constant_column').fix == {'data.drop': ['ward']}

IDS = [np.arange(400), np.arange(400)+100_000, [f'C{i:05}' for i in range(400)], np.random.default_rng(0).permutation(400),
    [f'{i*7919%99991:x}-{i}' for i in range(400)]]

@pytest.mark.parametrize('ids', IDS)
def test_id_like_column(assess, ids):
    d, a = assess(clean().assign(ref=ids))
    w = only(a, 'id_like_column', 1)
    assert 'ref' not in d.frame and w.fix == {'data.keep': ['ref']}
    d, a = assess(clean().assign(ref=ids), data_keep=['ref'])
    assert 'ref' in d.frame and 'id_like_column' not in a.codes

def test_id_by_name(assess):
    t = clean().assign(customer_id=np.random.default_rng(0).choice(10**9, 400, replace=False))
    only(assess(t)[1], 'id_like_column')
    assert assess(t.rename(columns={'customer_id': 'turnover'}))[1].codes == []

def test_unseen_category(assess):
    t = with_part(clean()); t.loc[:6, 'town'] = 'Rome'
    assert 'Rome' in only(assess(t, data_split='part')[1], 'unseen_category', 7).where

def test_dates_are_no_unseen_categories(assess): assert assess(with_part(clean(n=100)), data_split='part')[1].codes == []

def test_mixed_encoding(tmp_path):
    lines = clean().assign(town=lambda t: t.town.replace('Graz', 'Köln')).to_csv(index=False).split('\n')
    bad = next(i for i, o in enumerate(lines) if 'Köln' in o)
    (tmp_path/'data.csv').write_bytes(b'\n'.join(o.encode('latin-1' if i == bad else 'utf-8') for i, o in enumerate(lines)))
    a = load(Recipe.for_tabular(data=str(tmp_path/'data.csv'), target='target')).assess()
    assert only(a, 'mixed_encoding', 1).where == f'lines {bad+1}'

# ---- leaks
def noisy(y, share, seed=0):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(len(y)) < share, rng.permutation(y), y)

LEAKS = {'another word': lambda t: t.target.map({'no': 'dead', 'yes': 'alive'}), 'a number': lambda t: (t.target == 'yes')*1,
    'a noisy copy': lambda t: noisy(t.target, .02),
    'a threshold': lambda t: np.where(t.target == 'yes', 100, 0) + np.random.default_rng(0).normal(0, 10, len(t)),
    'two ranges': lambda t: np.where(t.target == 'yes', 50 + t.weight%20, t.weight%20 + 100*(t.age > 50)),
    'filled in later': lambda t: pd.Series(np.random.default_rng(0).normal(size=len(t))).where(t.target == 'yes'),
    'a word for each': lambda t: t.target + t.town}

@pytest.mark.parametrize('leak', LEAKS)
def test_target_leak(assess, leak):
    a = assess(clean().assign(told=LEAKS[leak]))[1]
    assert a.codes[0] == 'target_leak' and a.warnings[0].where == "'told'" and a.warnings[0].fix == {'data.drop': ['told']}
    assert 'target_leak' not in assess(clean().assign(told=LEAKS[leak]), data_drop=['told'])[1].codes

@pytest.mark.parametrize('leak', [lambda t: t.target*2.54, lambda t: np.log(t.target+100), lambda t: t.target.round(0),
    lambda t: t.target + np.random.default_rng(0).normal(0, .1, len(t))])
def test_target_leak_of_a_number(assess, leak):
    assert only(assess(clean(task='regression').assign(told=leak))[1], 'target_leak').where == "'told'"

def test_a_strong_column_is_no_leak(assess):
    t = clean().assign(told=lambda t: noisy(t.target, .2))
    assert assess(t)[1].codes == []

def test_leaks_are_sought_in_training_rows_only(assess):
    guess = np.random.default_rng(0).choice(['no', 'yes'], 400)
    t = with_part(clean()).assign(told=lambda t: np.where(t.part == 'test', t.target, guess))
    assert 'target_leak' not in assess(t, data_split='part')[1].codes

def test_real_leaks(data_dir):
    titanic = load(Recipe.for_tabular(data=str(data_dir/'tabular/titanic.csv'), target='survived')).assess()
    assert titanic.warnings[0].code == 'target_leak' and titanic.warnings[0].where == "'alive'"
    adult = load(Recipe.for_tabular(data=str(data_dir/'tabular/adult.train'), target='c15')).assess()
    assert 'target_leak' not in adult.codes and 'missing_values' in adult.codes

@pytest.mark.parametrize('name', ['breast_cancer', 'diabetes', 'loans'])
def test_embedded_data_has_no_leak(name):
    found = load(Recipe.for_tabular(data=name)).assess().codes
    assert not {'target_leak', 'duplicate_across_split', 'near_duplicate'} & set(found)

# ---- the value object
@pytest.mark.parametrize('task', ['classification', 'regression'])
def test_value_object(assess, task):
    import json
    t = clean(task=task).assign(told=lambda t: t.target, ref=range(400))
    a = assess(t)[1]
    assert json.loads(json.dumps(a.to_dict()))['counts']['train'] == 300
    assert a.to_frame().code.tolist() == ['target_leak', 'id_like_column']
    html = a._repr_html_()
    assert 'target_leak' in html and '<script' not in html and a.plot().axes
    evil = assess(t.rename(columns={'told': '<script>alert(1)</script>'}))[1]
    assert '<script' not in evil._repr_html_()
