"What cannot be learned from is refused in one line that says what, where and how to mend it"
import io, os, resource, zipfile

import numpy as np
import pandas as pd
import pytest

from tlnb.dataset import load
from tlnb.errors import TlnbError
from tlnb.recipe import Recipe

ROWS = [f'{20+i%50},{1000+37*i%900},{"red" if i%3 else "blue"},{"yes" if i%2 else "no"}' for i in range(60)]
GOOD = 'age,income,colour,target\n' + '\n'.join(ROWS) + '\n'


def refused(path, *parts, target='target', **options):
    "`load` raises one line that holds all `parts`"
    with pytest.raises(TlnbError) as e: load(Recipe.for_tabular(data=str(path), target=target, **options))
    line = str(e.value)
    assert '\n' not in line and 10 < len(line) < 400, line
    for part in parts: assert part in line, f'{part!r} is not in: {line}'
    return line


@pytest.fixture
def file(tmp_path):
    "Writes text or bytes to a file and gives its path"
    def write(content, name='data.csv'):
        path = tmp_path/name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path
    return write


def test_the_good_file_is_read(file):
    d = load(Recipe.for_tabular(data=str(file(GOOD)), target='target'))
    assert (d.n_train, d.n_judged, d.classes, list(d.frame)) == (45, 15, ['no', 'yes'], ['age', 'income', 'colour'])


# ---- no file, or no text
def test_no_file(file):
    file(GOOD, 'people.csv')
    refused(file(GOOD).parent/'peolpe.csv', 'no such file', "did you mean 'people.csv'?")
    refused('nowhere/at/all.csv', 'no such file')
    refused('lonas', "did you mean 'loans'?")

def test_no_path():
    with pytest.raises(TlnbError, match='no data named'): load(Recipe.for_tabular(target='target'))

def test_directory(tmp_path): refused(tmp_path, 'a folder')

def test_device(): refused('/dev/null', 'not a file')

def test_not_allowed(file):
    path = file(GOOD); path.chmod(0)
    if os.access(path, os.R_OK): pytest.skip('this user may read everything')
    refused(path, 'not allowed')

@pytest.mark.parametrize('content', ['', '\n\n \n', b'\xef\xbb\xbf', b'\xff\xfe'])
def test_empty_file(file, content): refused(file(content), 'empty')

def test_header_only(file): refused(file('age,income,colour,target\n'), 'header', 'no rows')

def workbook():
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w') as z: z.writestr('xl/workbook.xml', '<workbook/>')
    return out.getvalue()

@pytest.mark.parametrize('content,looks', [(b'\x89PNG\r\n\x1a\n' + bytes(range(256)), 'PNG'), (workbook(), 'Excel'),
    (b'%PDF-1.7 abc', 'PDF'), (b'\x1f\x8b\x08 abc', 'gzip'),
    (os.urandom(20) + bytes(3000), 'zero bytes'), (GOOD.encode()*500 + bytes(100), 'zero bytes'),
    (b'<!DOCTYPE html><html><body>Sign in</body></html>', 'web page')])
def test_binary_named_csv(file, content, looks): refused(file(content), looks)

def test_random_bytes(file): refused(file(bytes(np.random.default_rng(0).integers(1, 256, 20_000, dtype=np.uint8))))

@pytest.mark.parametrize('fill', [b'\0', b'a', b'1,'])
def test_a_line_of_two_gigabytes(tmp_path, fill):
    "Refused long before it is in memory: a hole of 2 GB, and text that begins without a line break"
    path = tmp_path/'long.csv'
    with open(path, 'wb') as f:
        f.write(fill*(16*2**20//len(fill)))
        f.truncate(2*2**30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(path, 'zero bytes' if fill == b'\0' else 'too long')
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000    # kB

def test_a_long_line_further_down(tmp_path):
    path = tmp_path/'long.csv'
    with open(path, 'wb') as f:
        f.write(GOOD.encode()); f.write(b'x'*(20*2**20)); f.truncate(2*2**30)
    refused(path, 'too long')

def test_wrong_byte_order_mark(file): refused(file(b'\xff\xfe' + GOOD.encode() + b'x'))


# ---- text that is no table
def test_ragged(file):
    refused(file(GOOD.replace('red', 'red,deep', 1)), 'line 3 has 5 fields where most have 4')
    refused(file(GOOD + '1,2\n'), 'line 62 has 2 fields where most have 4')
    refused(file('made by hand\n' + GOOD), 'line 1 has 1 field where most have 4')

def test_quotes(file):
    quoted = GOOD.replace('red', '"red"').replace('blue', '"blue"')
    refused(file(quoted.replace('"red"', '"red', 1)), 'quotation mark', 'line 3')
    refused(file(GOOD.replace('red', '"re"d', 1) + '1,2\n'), 'quotation mark', 'line 3')

def test_a_lone_quote_is_a_character(file):
    d = load(Recipe.for_tabular(data=str(file(GOOD.replace('red', '"red', 1))), target='target'))
    assert d.found['quotes'] == 'taken as plain characters' and '"red' in set(d.frame.colour)
    [w] = [o for o in d.assess().warnings if o.code == 'unreadable_file']
    assert w.count == 1 and 'quotation mark that is not closed' in w.message and 'kept as plain characters' in w.message
    assert w.where.startswith('row 3, ') and """'"red' in 'colour'""" in w.where and w.cure.startswith('close it')
    assert not [o for o in load(Recipe.for_tabular(data=str(file(GOOD)), target='target')).assess().warnings if o.code == 'unreadable_file']

def test_one_column(file): refused(file('target\n' + 'yes\nno\n'*20), 'no column to learn from')

def test_too_many_columns(file): refused(file(','.join(f'c{i}' for i in range(20_000)) + '\n' + ','.join('1'*20_000) + '\n'),
    'too many columns')

@pytest.mark.parametrize('content,parts', [('{"a": 1, "target": 2}\n{"a": \n', ['broken JSON', 'line 2']),
    ('{"a": 1}\n[1, 2]\n', ['not an object', 'line 2']),
    ('[{"a": 1}, 3]', ['not an object', 'item 2']), ('[' * 100_000, ['JSON']), ('{"a": ' + '9'*5000 + '}\n', ['line 1']),
    ('[]', ['no rows'])])
def test_broken_json(file, content, parts): refused(file(content, 'data.jsonl'), *parts)

def test_broken_parquet(file, tmp_path):
    pd.read_csv(io.StringIO(GOOD)).to_parquet(tmp_path/'good.parquet')
    whole = (tmp_path/'good.parquet').read_bytes()
    assert load(Recipe.for_tabular(data=str(tmp_path/'good.parquet'), target='target')).n_train == 45
    refused(file(whole[:-100], 'cut.parquet'), 'broken Parquet')
    refused(file(b'PAR1 and nothing else PAR1', 'fake.parquet'), 'broken Parquet')
    refused(file(GOOD, 'text.parquet'), 'broken Parquet')
    pd.read_csv(io.StringIO(GOOD)).iloc[:0].to_parquet(tmp_path/'none.parquet')
    refused(tmp_path/'none.parquet', 'no rows')


# ---- a recipe that does not fit
@pytest.mark.parametrize('option', ['data_drop', 'data_keep', 'sensitive'])
def test_no_such_column(file, option): refused(file(GOOD), 'no such column', "'colur'", "did you mean 'colour'?", **{option: ['colur']})

@pytest.mark.parametrize('option', ['data_split', 'data_group'])
def test_no_such_split(file, option): refused(file(GOOD), 'no such column', "did you mean 'colour'?", **{option: 'colur'})

def test_no_such_target(file):
    refused(file(GOOD), 'no such column', "did you mean 'target'?", target='targt')
    refused(file(GOOD), 'no target', 'age, income, colour, target', target=None)

def test_target_dropped_or_used_twice(file):
    refused(file(GOOD), 'the target is dropped', data_drop=['target'])
    for option in ('data_split', 'data_group'): refused(file(GOOD), 'the target cannot be that too', **{option: 'target'})
    refused(file(GOOD), 'the target cannot be that too', sensitive=['target'])

def test_target_stands_twice(file): refused(file(GOOD.replace('colour', 'target', 1)), 'stands twice')

@pytest.mark.parametrize('positive,part', [('colour', 'not a condition'), ('colour > 0', 'not a number'),
    ('hue == red', 'no such column'), ('colour == green', 'only one class')])
def test_bad_condition(file, positive, part): refused(file(GOOD), part, target=None, data_positive=positive)

def test_condition_on_another_column(file): refused(file(GOOD), 'not the column of the condition', data_positive='colour == red')

def test_columns_do_not_fit(file): refused(file(GOOD), 'data.columns names 3', 'has 4', data_columns=['a', 'b', 'target'])

def test_everything_dropped(file): refused(file(GOOD), 'no column to learn from', data_drop=['age', 'income', 'colour'])


# ---- nothing to learn
def test_one_class(file): refused(file(GOOD.replace('no', 'yes')), 'only one class', "'yes'")

def test_target_missing(file): refused(file(GOOD.replace('yes', '').replace('no', 'NA')), 'missing in every row')

def test_everything_missing(file): refused(file('a,b,target\n' + ',,\n'*30), 'every cell is missing')

def test_too_few_rows(file): refused(file('\n'.join(GOOD.split('\n')[:6])), 'too few rows')

def test_a_name_is_no_class(file): refused(file('a,target\n' + ''.join(f'{i%7},name {i}\n' for i in range(60))), 'too many classes')

def test_text_is_no_number(file): refused(file(GOOD), 'not a number', data_task='regression')

def test_one_number(file): refused(file('a,target\n' + ''.join(f'{i%7},3.5\n' for i in range(60))), 'one value only',
    data_task='regression')

@pytest.mark.parametrize('words,part', [(['train', 'maybe'], 'neither train, valid nor test'), (['train', 'train'], 'no row to judge'),
    (['test', 'test'], 'no row to train on')])
def test_given_split(file, words, part):
    lines = GOOD.strip().split('\n')
    text = '\n'.join([lines[0] + ',part', *(f'{o},{words[i%2]}' for i, o in enumerate(lines[1:]))])
    refused(file(text), part, data_split='part')

def test_given_split_of_copies(file):
    lines = GOOD.strip().split('\n')
    text = '\n'.join([lines[0] + ',part', *(o + ',train' for o in lines[1:]), *(o + ',test' for o in lines[1:9])])
    refused(file(text), 'no judged row is left', data_split='part')

def test_given_split_with_one_class(file):
    lines = GOOD.strip().split('\n')
    text = '\n'.join([lines[0] + ',part', *(o + (',train' if o.endswith('yes') else ',test') for o in lines[1:])])
    refused(file(text), 'one class only', data_split='part')

def test_one_group(file):
    text = GOOD.replace('\n', ',ann\n').replace('target,ann', 'target,who')
    refused(file(text), 'belong together', data_group='who')
