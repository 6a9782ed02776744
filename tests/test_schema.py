"What a column means is learned once, kept as JSON, and has an answer to whatever a later table holds."
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tlnb.errors import DataError
from tlnb.tabular.light import LIMIT, find_column, label
from tlnb.tabular.schema import Scale, TableSchema, codes_of, date_format, fit_column, kind_of, numbers_of, to_numbers

CELLS = st.one_of(st.none(), st.booleans(), st.integers(-10**18, 10**18), st.floats(allow_nan=True, allow_infinity=True), st.text(max_size=12),
    st.sampled_from(['', ' ', 'a', 'A', 'b', '3', '3.0', '1e5', '2024-02-29', '31.12.1999', 'True', 'nan', 'inf', '-9', 'é', '9'*400]))
COLUMNS = st.sampled_from(['age', 'Job title', 'ünï', '0'])
TABLES = st.integers(2, 12).flatmap(lambda n: st.dictionaries(COLUMNS, st.lists(CELLS, min_size=n, max_size=n), min_size=1))
QUICK = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def fitted(table):
    "Schema of a table of any cells; None where there is nothing to learn from"
    try: return TableSchema.fit(pd.DataFrame(table, dtype=object))
    except DataError: return None

@QUICK
@given(TABLES)
def test_json_round_trip_is_the_identity(table):
    if (schema := fitted(table)) is None: return
    again = TableSchema.from_dict(json.loads(json.dumps(schema.to_dict(), allow_nan=False)))
    assert again == schema
    for a,b in zip(schema.encode(pd.DataFrame(table, dtype=object)), again.encode(pd.DataFrame(table, dtype=object))): assert np.array_equal(a, b)

@QUICK
@given(TABLES, TABLES)
def test_no_later_table_breaks_it(table, later):
    schema = fitted(table)
    if schema is None or len(schema.absent(pd.DataFrame(later))) == len([c for c in schema.columns if c.kind != 'unused']): return
    x_cat,x_cont = schema.encode(pd.DataFrame(later, dtype=object))
    assert x_cat.dtype == 'int64' and x_cont.dtype == 'float32' and len(x_cat) == len(x_cont) == len(next(iter(later.values())))
    assert x_cont.shape[1] == len(schema.inputs) and np.isfinite(x_cont).all() and (abs(x_cont) <= LIMIT).all()
    assert all(((0 <= x_cat[:,i]) & (x_cat[:,i] <= len(c.categories))).all() for i,c in enumerate(schema.cats))


@pytest.mark.parametrize('cells, kind', [
    ([1, 2.5, None], 'continuous'), (['1', '2.5', ' '], 'continuous'), (['1']*99 + ['x'], 'continuous'), (['1', 'x', 'x'], 'categorical'),
    ([True, False], 'boolean'), (['true', 'FALSE', None], 'boolean'), (['a', 3, 'a'], 'categorical'), ([None, np.nan], 'unused'), ([np.inf, -np.inf], 'unused'),
    (['2024-01-31', '2024-02-01T10:00:00Z'], 'date'), (pd.to_datetime(['2024-01-31', None]), 'date'), (['May 5', 'June 6'], 'categorical')])
def test_kinds(cells, kind): assert kind_of(pd.Series(cells))[0] == kind

@pytest.mark.parametrize('fmt', ['%d.%m.%Y', '%m/%d/%Y', '%d/%m/%Y', '%Y/%m/%d', '%d-%m-%Y', '%b %d, %Y', '%d %B %Y', '%d.%m.%Y %H:%M', '%Y-%m-%d', '%Y-%m-%d %H:%M:%S'])
def test_dates_in_common_formats(fmt):
    days = pd.Series(pd.date_range('2021-12-20', periods=40, freq='17D'))
    col,plain = fit_column('on', days.dt.strftime(fmt)),fit_column('on', days)
    assert col.kind == 'date' and np.allclose(numbers_of(col, days.dt.strftime(fmt)), numbers_of(plain, days))

def test_a_date_of_another_format_is_read_later_on_and_nonsense_is_missing():
    col = fit_column('on', pd.Series(['24.12.2023', '31.1.2024', '1.2.2024']))
    x = numbers_of(col, pd.Series(['2024-01-31', '31.01.2024', 'soon', None, 'soon']))
    assert np.array_equal(x[0], x[1]) and np.array_equal(x[2], x[3]) and date_format(pd.Series(['soon', '1.2.2024'])) == ''

def test_gaps_in_a_column_that_was_clean_are_its_median():
    col = fit_column('age', pd.Series([20., 30, 40, 50, 1000]))
    assert not col.flag and np.array_equal(numbers_of(col, pd.Series([None, 'x', np.inf, 40]))[:,0], np.repeat(numbers_of(col, pd.Series([40.])), 4))

def test_gaps_in_training_are_an_input_of_their_own():
    col = fit_column('age', pd.Series([20., None, 40]))
    assert col.inputs == ['age', 'age (missing)'] and numbers_of(col, pd.Series([None, 30.]))[:,1].tolist() == [1, 0]

def test_one_spelling_of_a_category():
    col = fit_column('grade', pd.Series(['1', '2', 'x']*3))
    for later in ([1, 2], [1., 2.], ['1', '2'], [' 1', '2.0'], pd.Series([1, 2], dtype='Int64')): assert codes_of(col, pd.Series(later)).tolist() == [1, 2]
    assert codes_of(col, pd.Series(['X', 'y', None, 'x'])).tolist() == [3, 0, 0, 3] and label(True) == 'True'

def test_exact_spelling_goes_before_another_case():
    col = fit_column('code', pd.Series(['ab', 'AB', 'ab', 'AB', 'cd', 'cd']))
    assert codes_of(col, pd.Series(['ab', 'AB', 'Cd'])).tolist() == [col.categories.index(o) + 1 for o in ('ab', 'AB', 'cd')]

def test_rare_categories_and_many_categories():
    cells = pd.Series([f'c{i}' for i in range(50) for _ in range(50 - i)] + ['once'])
    col = fit_column('c', cells, max_categories=10)
    assert col.categories == [f'c{i}' for i in range(10)] and sum(col.counts) == len(cells) and codes_of(col, pd.Series(['once', 'c10'])).tolist() == [0, 0]
    assert fit_column('c', pd.Series([f'text {i}' for i in range(50)])).kind == 'unused'

@pytest.mark.parametrize('x', [[0.]*97 + [1e3, 5e3, 99999.], [1e300, -1e300, 0, 1.], [5.]*10, [1e-300, 2e-300, 3e-300], [1e16, 1e16 + 2, 1e16 + 4]])
def test_odd_numbers_are_tamed(x):
    z = Scale.fit(to_numbers(pd.Series(x)))(np.array([*x, np.nan, -1e300, 1e300]))
    assert np.isfinite(z).all() and (abs(z) <= LIMIT).all()

def test_columns_by_name():
    assert find_column('Marital Status', ['marital_status', 'age']) == 'marital_status'
    assert find_column('a b', ['A-B', 'a_b']) is None and find_column('a_b', ['A-B', 'a_b']) == 'a_b'
    schema = TableSchema.fit(pd.DataFrame({'Age': [1., 2], 'job': ['x', 'x']}))
    assert np.array_equal(schema.encode(pd.DataFrame({'more': [0], 'AGE': [2.]}))[1], schema.encode(pd.DataFrame({'Age': [2.], 'job': ['y']}))[1])
    with pytest.raises(DataError, match='none of the columns'): schema.encode(pd.DataFrame({'wage': [1]}))


def test_joined_with_a_source_its_columns_read_as_the_source_reads_them():
    old = pd.DataFrame({'Age': [20., 30, 60], 'job': ['a', 'b', 'a'], 'gone': [1., 2, 3], 'kind': ['p', 'q', 'p']}).loc[[0, 1, 2, 0, 1, 2]]
    new = pd.DataFrame({'age': [5., None, 7, 9], 'JOB': ['B', 'c', 'c', 'A'], 'kind': [1., 2, 3, 4], 'extra': ['u', 'u', 'v', 'v']})
    source,target = TableSchema.fit(old),TableSchema.fit(new)
    both = target.join(source)
    assert {c: o['what'] for c,o in both.origin.items()} == {'age': 'carried', 'JOB': 'carried', 'gone': 'absent', 'kind': 'new', 'extra': 'new'}
    assert both.origin['JOB']['new_categories'] == ['c'] and both.origin['age']['was'] == 'Age' and 'categorical there' in both.origin['kind']['why']
    (sc,sx),(bc,bx) = source.encode(new),both.encode(new)
    age = both.inputs.index('age')
    assert np.array_equal(bx[:,age], sx[:,source.inputs.index('Age')]) and both.inputs[age+1] == 'age (missing)'
    assert bc[:,0].tolist() == [2, 3, 3, 1] and sc[:,0].tolist() == [2, 0, 0, 1]
    assert TableSchema.from_dict(json.loads(json.dumps(both.to_dict()))) == both
