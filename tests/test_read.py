"Every way to write the same table gives the same dataset; what was found out is named"
import json, subprocess, sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tlnb.dataset import load
from tlnb.recipe import Recipe

ROOT = Path(__file__).resolve().parent.parent
N = 80
TABLE = pd.DataFrame({'age': [20 + 7*i % 50 for i in range(N)], 'income': [1000.5 + 37*i % 900 for i in range(N)],
    'town': [['Köln', 'Graz', 'Zürich'][i % 3] for i in range(N)],
    'member': [bool(i % 4) for i in range(N)], 'seen': [f'2024-{1+i%12:02}-{1+i%28:02}' for i in range(N)],
    'target': [['no', 'yes'][i % 5 > 1] for i in range(N)]})
COLUMNS = list(TABLE)


@pytest.fixture
def file(tmp_path):
    def write(content, name='data.csv'):
        (tmp_path/name).write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path/name
    return write

def read(path, target='target', **options): return load(Recipe.for_tabular(data=str(path), target=target, **options))

def csv(table=TABLE, **options): return table.to_csv(index=False, **options)

def same(d, frame=None, labels=None):
    "The dataset holds `TABLE`"
    expected = TABLE.drop(columns='target').assign(member=TABLE.member.map(str)) if frame is None else frame
    pd.testing.assert_frame_equal(d.frame, expected, check_dtype=False)
    assert [d.classes[i] for i in d.y] == (TABLE.target.tolist() if labels is None else labels)


# ---- formats, encodings, delimiters
@pytest.mark.parametrize('encoding,name', [('utf-8', 'utf-8'), ('utf-8-sig', 'utf-8 with byte-order mark'), ('latin-1', 'cp1252'),
    ('cp1252', 'cp1252'), ('utf-16', 'utf-16'),
    ('utf-16-le', 'utf-16-le'), ('utf-16-be', 'utf-16-be'), ('utf-32', 'utf-32')])
def test_encodings(file, encoding, name):
    d = read(file(csv().encode(encoding)))
    same(d); assert d.found['encoding'] == name

@pytest.mark.parametrize('sep,name', [(',', 'comma'), (';', 'semicolon'), ('\t', 'tab'), ('|', 'bar')])
@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
def test_delimiters(file, sep, name, end):
    d = read(file(csv(sep=sep, lineterminator=end), 'data.txt'))
    same(d); assert d.found['delimiter'] == name

def test_decimal_comma(file): same(read(file(csv(sep=';', decimal=','))))

def test_quoted_fields(file):
    table = TABLE.assign(town=[f'{o}, "old"\ntown' if i % 2 else o for i, o in enumerate(TABLE.town)])
    d = read(file(csv(table)))
    assert d.frame.town[1] == 'Graz, "old" town' and d.ids[:3] == ['row 2', 'row 3', 'row 5'] # the line at which each begins

def test_json_lines(file):
    d = read(file(TABLE.to_json(orient='records', lines=True), 'data.jsonl'))
    same(d); assert d.found['format'] == 'JSON Lines'

def test_json_array(file): same(read(file(TABLE.to_json(orient='records', indent=1), 'data.json')))

def test_json_values(file):
    rows = [{'a': [1, 'x'], 'b': {'k': None}, 'c': '\ud800 half', 'n': 10**30, 'target': i % 2 == 0,
        **({'late': 3.5} if i else {})} for i in range(40)]
    d = read(file('\n'.join(map(json.dumps, rows)), 'data.jsonl'), data_keep=['a', 'b', 'c', 'n', 'late'])
    assert d.classes == ['False', 'True'] and d.frame.a[0] == '[1, "x"]' and d.frame.n[0] == 1e30 and np.isnan(d.frame.late[0])

@pytest.mark.parametrize('name', ['data.parquet', 'data.csv'])
def test_parquet(tmp_path, name):
    TABLE.to_parquet(tmp_path/name)
    d = read(tmp_path/name)
    same(d); assert d.found['format'] == 'Parquet'

def test_parquet_types(tmp_path):
    from decimal import Decimal
    odd = TABLE.assign(when=pd.to_datetime(TABLE.seen, utc=True), size=TABLE.town.astype('category'),
        price=[Decimal(i) for i in range(N)], raw=[f'{i%5}'.encode() for i in range(N)],
        wait=pd.to_timedelta(TABLE.age, 's'), small=TABLE.age.astype('uint8'), nullable=pd.array([None, *range(N-1)], dtype='Int64'),
        parts=[[i % 3] for i in range(N)],
        infinite=[np.inf, *np.linspace(0, 1, N-1)])
    odd.to_parquet(tmp_path/'odd.parquet')
    f = read(tmp_path/'odd.parquet', data_keep=['price', 'nullable']).frame
    assert f.when.dtype.kind == 'M' and f.when.dt.tz is None and f['size'].tolist() == TABLE.town.tolist()
    assert f.price[3] == 3. and f.raw[7] == 2
    assert f.wait[0] == 20. and f.small.dtype == np.int64 and np.isnan(f.nullable[0]) and f.parts[1] == '[1]' and np.isnan(f.infinite[0])

def test_mixed_encoding(file):
    lines = csv().split('\n')
    content = b'\n'.join(o.encode('latin-1' if i in (3, 18) and not o.isascii() else 'utf-8') for i, o in enumerate(lines))
    odd = [i+1 for i in (3, 18) if not lines[i].isascii()]
    d = read(file(content))
    same(d)
    note, = [o for o in d.notes if o.code == 'mixed_encoding']
    assert note.count == len(odd) > 0 and all(str(i) in note.where for i in odd)


# ---- headers
def test_no_header(file):
    d = read(file(csv(header=False)), 'c6')
    assert list(d.frame) == ['c1', 'c2', 'c3', 'c4', 'c5'] and 'c1, c2' in d.found['header']
    same(read(file(csv(header=False)), data_header='none', data_columns=COLUMNS))
    same(read(file(csv(header=False)), data_columns=COLUMNS))
    same(read(file(csv()), data_columns=COLUMNS))

def test_no_header_said_of_a_file_that_has_one(file):
    numbers = TABLE[['age', 'income']].assign(target=TABLE.index % 2)
    d = read(file(csv(numbers)), data_header='none', data_columns=['a', 'b', 'target'])
    assert len(d.frame) == N and d.frame.a.dtype == np.int64 and 'was skipped' in d.found['header']

def test_header_of_numbers(file):
    d = read(file(csv(TABLE.rename(columns={'age': '2023', 'income': '2024'}))))
    assert list(d.frame)[:2] == ['2023', '2024']

def test_first_means_first(file): assert read(file('1,2\n' + '3,4\n5,6\n'*20), '2', data_header='first').classes == ['4', '6']

def test_odd_names(file):
    d = read(file(csv().replace('age,income,town', ' age ,age,', 1)))
    assert list(d.frame)[:3] == ['age', 'age (2)', 'c3'] and "'c3'" in d.found['renamed']

def test_row_names_and_trailing_delimiters(file):
    lines = csv().strip().split('\n')
    r_style = '\n'.join([lines[0], *(f'r{i},{o}' for i, o in enumerate(lines[1:]))])
    same(read(file(r_style)))
    same(read(file('\n'.join([lines[0], *(o + ',' for o in lines[1:])]))))
    same(read(file('\n'.join(o + ',' for o in lines))))

def test_blanks_around_cells(file): same(read(file(csv().replace(',', ' , '))))


# ---- missing values
@pytest.mark.parametrize('written', ['', 'NA', 'NaN', 'NULL', '?', ' ? ', 'null'])
def test_missing(file, written):
    lines = csv().split('\n')
    lines[1] = f'{written},1000.5,{written},{written},2024-01-01,no'
    f = read(file('\n'.join(lines))).frame
    assert np.isnan(f.age[0]) and f.town.isna()[0] and f.member.isna()[0] and f.isna().sum().sum() == 3

@pytest.mark.parametrize('written', ['-9', '-9.0', '-9.00', 'unknown'])
def test_sentinels(file, written):
    lines = csv().split('\n')
    lines[1] = f'{written},1000.5,{written},True,2024-01-01,no'
    f = read(file('\n'.join(lines)), data_missing=['-9', 'unknown']).frame
    assert np.isnan(f.age[0]) and f.town.isna()[0]

def test_missing_target_rows_are_left_out(file):
    d = read(file(csv(TABLE.assign(target=TABLE.target.where(TABLE.index > 4)))))
    note, = [o for o in d.notes if o.code == 'missing_values']
    assert len(d.frame) == N-5 and note.count == 5 and d.ids[0] == 'row 7'

def test_a_blank_column_is_left_out(file):
    d = read(file(csv(TABLE.assign(town=None))))
    assert 'town' not in d.frame and [o.where for o in d.notes] == ["'town'"]


# ---- what the recipe asks for
POSITIVE = {'age > 40': TABLE.age > 40, 'age>=41': TABLE.age >= 41, 'age in 20, 27': TABLE.age.isin([20, 27]),
    'age != 20': TABLE.age != 20, 'age = 27': TABLE.age == 27}

@pytest.mark.parametrize('positive', POSITIVE)
def test_positive(file, positive):
    d = read(file(csv()), 'age', data_positive=positive)
    assert d.y.tolist() == POSITIVE[positive].astype(int).tolist() and d.classes[0].startswith('not (') and 'age' not in d.frame
    assert read(file(csv()), None, data_positive=positive).classes == d.classes

def test_positive_of_text(file):
    d = read(file(csv()), 'town', data_positive="town == 'Köln'")
    assert d.y.tolist() == (TABLE.town == 'Köln').astype(int).tolist()

def test_drop_keep_group_split_sensitive(file):
    part = ['train', 'valid', 'test', 'train']*(N//4)
    d = read(file(csv(TABLE.assign(part=part, nr=range(N)))), data_drop=['income'], data_split='part', data_keep=['nr'],
        sensitive=['town', 'age'])
    assert list(d.frame) == ['age', 'town', 'member', 'seen', 'nr']
    assert [part[i] for i in d.judged] == ['test']*20 and len(d.train) == 60 # with a test part, valid is for training
    assert d.groups.town.tolist() == TABLE.town.tolist() and d.groups.age.nunique() == 4
    g = read(file(csv(TABLE.assign(who=[f'p{i//4}' for i in range(N)]))), data_group='who')
    assert 'who' not in g.frame and not {i//4 for i in g.train} & {i//4 for i in g.judged}

def test_valid_is_judged_where_there_is_no_test(file):
    d = read(file(csv(TABLE.assign(part=['Training', ' val']*(N//2)))), data_split='part')
    assert d.judged.tolist() == list(range(1, N, 2))

def test_missing_groups_are_a_group(file):
    d = read(file(csv(TABLE.assign(town=TABLE.town.where(TABLE.index > 9)))), sensitive=['town'], data_drop=['town'])
    assert d.groups.town[:10].tolist() == ['(missing)']*10 and 'town' not in d.frame

@pytest.mark.parametrize('target,task', [('income', 'regression'), ('age', 'regression'), ('town', 'classification'),
    ('member', 'classification')])
def test_task(file, target, task): assert read(file(csv()), target).task == task

def test_task_can_be_said(file):
    d = read(file(csv(TABLE.assign(grade=TABLE.index % 5))), 'grade', data_task='regression')
    assert d.task == 'regression' and d.y.dtype == np.float64 and d.classes == []
    assert read(file(csv(TABLE.assign(grade=TABLE.index % 5))), 'grade').classes == ['0', '1', '2', '3', '4']

def test_whole_number_classes_with_gaps_keep_their_names(file):
    assert read(file(csv(TABLE.assign(grade=(TABLE.index % 3).where(TABLE.index > 2)))), 'grade').classes == ['0', '1', '2']


# ---- identity
def test_fingerprint(file, tmp_path):
    a = read(file(csv()))
    assert a.fingerprint == read(file(csv(), 'elsewhere.csv')).fingerprint != read(file(csv() + csv(header=False), 'other.csv')).fingerprint
    path = file(csv())
    for option in ({'data_drop': ['age']}, {'data_task': 'classification'}, {'data_missing': ['Graz']}, {'target': 'town'}):
        assert read(path, **option).fingerprint != a.fingerprint
    assert read(path, sensitive=['town']).fingerprint == a.fingerprint

def test_folder_is_where_paths_start(file, tmp_path):
    file(csv())
    d = load(Recipe.for_tabular(data='data.csv', target='target'), tmp_path)
    assert d.recipe.data.path == 'data.csv' and d.fingerprint == read(tmp_path/'data.csv').fingerprint

def test_seed_decides_the_judged_rows(file):
    path = file(csv())
    assert (read(path).judged == read(path).judged).all() and len({tuple(read(path, seed=s).judged) for s in range(5)}) == 5

def test_inner_is_nested_and_inside_train(file):
    d = read(file(csv(pd.concat([TABLE]*4, ignore_index=True).assign(age=lambda t: t.index*1.5))), data_group='seen')
    for seed in range(5):
        fit, valid = d.inner(seed)
        assert sorted([*fit, *valid]) == d.train.tolist() and not set(d.cluster[fit]) & set(d.cluster[valid])
        before = [set(), set()]
        for size in (12, 30, 60, 120):
            sides = d.inner(seed, size)
            assert sum(map(len, sides)) <= size and not set(d.cluster[sides[0]]) & set(d.cluster[sides[1]])
            assert all(b <= set(o.tolist()) for b, o in zip(before, sides)) and set(d.y[sides[0]]) == set(d.y[sides[1]]) == {0, 1}
            before = [set(o.tolist()) for o in sides]


# ---- how much it takes
def test_reading_loads_no_training_library(file):
    code = f'''import sys
from tlnb.dataset import load
from tlnb.recipe import Recipe
load(Recipe.for_tabular(data={str(file(csv()))!r}, target="target")).assess()
print(*({{"torch", "fastai", "sklearn", "shap", "matplotlib", "IPython"}} & set(sys.modules)))'''
    assert subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip() == ''

# ---- embedded and real data
@pytest.mark.parametrize('name,target,task,rows', [('breast_cancer', 'diagnosis', 'classification', 569),
    ('diabetes', 'progression', 'regression', 442), ('loans', 'defaulted', 'classification', None)])
def test_embedded(name, target, task, rows):
    d = load(Recipe.for_tabular(data=name))
    assert (d.target, d.task, d.recipe.data.target) == (target, task, target) and d.recipe.origins['data.target'] == f'data {name}'
    assert rows is None or len(d.frame) == rows
    assert d.fingerprint == load(Recipe.for_tabular(data=name)).fingerprint

ADULT = 'age workclass fnlwgt education education_num marital occupation relationship race sex gain loss hours country income'.split()

def test_real_data(data_dir):
    adult = read(data_dir/'tabular/adult.train', 'income', data_header='none', data_columns=ADULT, sensitive=['sex'])
    assert (len(adult.frame), adult.frame.shape[1], adult.classes) == (32561, 14, ['<=50K', '>50K'])
    assert adult.groups.sex.value_counts().to_dict() == {'Male': 21790, 'Female': 10771}
    titanic = read(data_dir/'tabular/titanic.csv', 'survived')
    assert (len(titanic.frame), titanic.classes) == (891, ['0', '1']) and 'target_leak' in titanic.assess().codes
    for name, rows, ill in (('cleveland', 303, 139), ('hungarian', 294, 106), ('switzerland', 123, 115), ('va', 200, 149)):
        d = read(data_dir/f'tabular/heart/processed.{name}.data', 'X14', data_missing=['-9'], data_positive='X14 > 0')
        assert (len(d.frame), int(d.y.sum())) == (rows, ill) and d.classes == ['not (X14 > 0)', 'X14 > 0'], name
        assert not (d.frame == -9).any().any()
