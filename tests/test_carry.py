"A network for the target begins as the source, whatever columns, categories and classes differ."
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from tlnb.dataset import protocol
from tlnb.outputs import target_form
from tlnb.recipe import Recipe
from tlnb.source import Fitted
from tlnb.tabular.carry import TabularFeaturizer, layout
from tlnb.tabular.learner import TableNet, score_rows
from tlnb.tabular.schema import TableSchema

RECIPE = Recipe.for_tabular(data='x').resolve()
N = 300


def people(seed=0):
    rng = np.random.default_rng(seed)
    age = rng.normal(40, 10, N)
    age[::7] = np.nan
    return pd.DataFrame(dict(age=age, Income=rng.lognormal(8, 1, N), job=rng.choice(['clerk', 'craft', 'sales'], N),
        since=pd.date_range('2020-01-01', periods=N).astype(str), member=rng.random(N) < .5, left=rng.normal(size=N)))

def form(y): return target_form('classification' if y is None else 'regression', y)

def source_of(frame, classes=('no', 'yes'), y=None):
    torch.manual_seed(1)
    schema = TableSchema.fit(frame, form(y))
    return Fitted('tabular', 'classification' if y is None else 'regression', list(classes), schema, TableNet(schema, len(classes) or 1, [16, 8]))

def carried(source, frame, classes=('no', 'yes'), y=None):
    dataset = SimpleNamespace(kind=protocol('modality', 'tabular'), task=source.task, classes=list(classes))
    prep = TableSchema.fit(frame, form(y)).join(source.prep)
    torch.manual_seed(2)
    net,told = TabularFeaturizer().carry(source, dataset, prep, RECIPE)
    return Fitted('tabular', source.task, list(classes), prep, net), told

def same(a, b): np.testing.assert_allclose(a, b, atol=1e-6)


def test_the_same_table_decides_the_same():
    source,rows = source_of(people()),people(1)
    now,told = carried(source, rows)
    same(now.score(rows), source.score(rows))
    assert told.share == 1 and set(told.to_frame().what) == {'carried'} and told.classes == ['no', 'yes']

def test_new_columns_and_categories_start_neutral():
    source,rows = source_of(people()),people(1).drop(columns='left').rename(columns={'Income': 'income'})
    rows['score'],rows['town'] = np.arange(N)*1., np.where(np.arange(N) % 2, 'x', 'y')
    rows.loc[::3, 'job'] = 'farmer'
    now,told = carried(source, rows)
    same(now.score(rows), source.score(rows))
    assert dict(zip(told.to_frame().column, told.to_frame().what)) == dict(age='carried', income='carried', job='carried', since='carried', member='carried',
        left='absent', score='new', town='new')
    assert told.columns['job']['new_categories'] == ['farmer'] and .5 < told.share < 1
    assert 'farmer' in told._repr_html_() and told.to_dict()['classes'] == ['no', 'yes']

def test_new_columns_can_be_learned():
    source,rows = source_of(people()),people(1).assign(town=np.where(np.arange(N) % 2, 'x', 'y'), score=np.linspace(0, 1, N))
    now,_ = carried(source, rows)
    x_cat,x_cont = (torch.from_numpy(o) for o in now.prep.encode(rows))
    now.model.eval()(x_cat, x_cont)[:,1].sum().backward()
    first = now.model.hidden[0][0].weight
    for key in (('town', 'category'), ('score', '=')):
        at = layout(now.model, now.prep, {})[key]
        assert (first[:,at] == 0).all() and (first.grad[:,at] != 0).any()

def test_gaps_where_the_source_had_none_change_nothing_at_first():
    source,rows = source_of(people()),people(1)
    rows.loc[::4, ['Income', 'job', 'since']] = None
    now,_ = carried(source, rows)
    assert 'Income (missing)' in now.prep.inputs
    same(now.score(rows), source.score(rows))

def test_a_column_of_another_kind_is_not_carried():
    source,rows = source_of(people()),people(1)
    rows['job'],rows['age'] = np.arange(N)*1.,np.where(rows.age > 40, 'old', np.where(rows.age > 0, 'young', None))
    now,told = carried(source, rows)
    assert told.columns['job']['what'] == told.columns['age']['what'] == 'new' and 'continuous there' in told.columns['age']['why']
    assert np.isfinite(now.score(rows)).all()

def test_classes_by_name():
    source,rows = source_of(people(), ['a', 'b', 'c']),people(1)
    now,told = carried(source, rows, ['c', 'a'])
    both = source.score(rows)[:,[2, 0]]
    same(now.score(rows), both/both.sum(1, keepdims=True))
    some,told = carried(source, rows, ['b', 'd'])
    assert told.classes == ['b'] and torch.equal(some.model.head.weight[0], source.model.head.weight[1])

def test_a_number_in_other_units():
    frame,rows = people(),people(1)
    source = source_of(frame, [], np.random.default_rng(0).normal(100, 20, N))
    now,told = carried(source, rows, [], np.random.default_rng(0).normal(3, .1, N))
    np.testing.assert_allclose(now.score(rows), source.score(rows), rtol=1e-5)
    assert now.prep.target['mean'] == pytest.approx(3, abs=.1) and told.classes == ['target']

def test_unseen_categories_are_the_average_one():
    frame = people()[['age', 'job']]
    schema = TableSchema.fit(frame)
    net = TableNet(schema, 2, [8])
    e,n = net.embeds[0],torch.tensor(schema.cats[0].counts[1:]).float()
    average = (n/n.sum()) @ e.weight[1:]
    assert torch.allclose(e(torch.tensor([0]))[0], average) and not torch.equal(e.weight[0], average)
    odd = pd.DataFrame({'age': [40.], 'job': ['astronaut']})
    assert np.array_equal(score_rows(net, schema, odd), score_rows(net, schema, odd.assign(job=None)))
