"What a package carries answers as the library does, without torch, pandas or the library."
import ast, io, json, subprocess, sys
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image

from tlnb import light as shared
from tlnb.dataset import load, protocol
from tlnb.errors import DataError, GateError
from tlnb.recipe import Recipe
from tlnb.tabular import light as tables
from tlnb.tabular.schema import TableSchema, to_dates
from tlnb.vision import light as pictures

ROOT = Path(__file__).resolve().parent.parent
QUICK = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
INIT = '''from pathlib import Path
from ._inputs import from_spec
from ._light import Model
model = Model(Path(__file__).parent, from_spec)
predict, predict_proba, check, card = model.predict, model.predict_proba, model.check, model.card
'''


def package(fitted, data, folder, thresholds=None):
    "The package of a model in its barest form"
    from tlnb.onnx import to_onnx
    exporter = protocol('exporter', fitted.modality)
    folder.mkdir(parents=True)
    meta = dict(classes=fitted.classes, task=fitted.task, target=fitted.prep.target, spec=exporter.spec(fitted, data), reference=exporter.reference(data, fitted),
        threads=exporter.threads, thresholds=thresholds, card='# Card')
    (folder/'model.json').write_text(json.dumps(meta))
    (folder/'model.onnx').write_bytes(to_onnx(**exporter.traced(fitted)))
    (folder/'_inputs.py').write_bytes(exporter.light.read_bytes())
    (folder/'_light.py').write_bytes(Path(shared.__file__).read_bytes())
    (folder/'__init__.py').write_text(INIT)
    (folder/'__main__.py').write_text('from . import model\nfrom ._light import main\nraise SystemExit(main(model, __package__))\n')
    return folder


def untrained(data):
    "A network with random weights, whose head is made large, so that it is sure of itself and a difference shows"
    import torch
    from tlnb.source import Fitted
    prep = data.kind.prepare(data, data.train)
    torch.manual_seed(0)
    model = data.kind.model(prep, data.task, len(data.classes) or 1, data.recipe)
    with torch.no_grad():
        for o in model.head.parameters(): o.mul_(20)
    return Fitted(data.modality, data.task, data.classes, prep, model.eval())


def model_of(folder):
    "A package's `Model`, in this process"
    made = tables if 'columns' in json.loads((folder/'model.json').read_text())['spec'] else pictures
    return shared.Model(folder, made.from_spec)


def hostile(n=240, seed=0):
    "A table of every kind of column with gaps, odd spellings and a target of two classes"
    rng = np.random.default_rng(seed)
    days = [date(2020, 1, 1) + timedelta(int(o)) for o in rng.integers(0, 900, n)]
    frame = pd.DataFrame(dict(age=rng.normal(40, 9, n).round(2), money=np.exp(rng.normal(8, 2, n)).round(2), job=rng.choice(['clerk', 'Craft', 'public  service', 'x,y', '"q"'], n),
        on=[f'{o:%d.%m.%Y}' for o in days], at=[f'{o}T0{o.day % 10}:30+02:00' for o in days], paid=rng.choice(['true', 'False'], n), k=rng.integers(0, 4, n)))
    for i,c in enumerate(('age', 'job', 'on', 'paid')): frame.loc[rng.random(n) < .1 + .05*i, c] = None
    return frame.assign(income=np.where(frame.age.fillna(40) + rng.normal(0, 9, n) > 40, 'high', 'low'))


@pytest.fixture(scope='module')
def table(tmp_path_factory):
    "(data, fitted, folder of its package)"
    place = tmp_path_factory.mktemp('table')
    hostile().to_csv(place/'rows.csv', index=False)
    data = load(Recipe.for_tabular(data=place/'rows.csv', target='income'))
    fitted = untrained(data)
    return data, fitted, package(fitted, data, place/'cells')


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    "The same of pictures in every mode that a file may have"
    place = tmp_path_factory.mktemp('photos')
    for i in range(40): odd_picture(i, place/('red' if i % 2 else 'blue'))
    data = load(Recipe.for_vision(data=place, vision_size=48, vision_tta=True, run_cache_gb=0))
    fitted = untrained(data)
    return data, fitted, package(fitted, data, tmp_path_factory.mktemp('made')/'looks')


def odd_picture(i, folder):
    "A picture file of the i-th mode"
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(i)
    image = Image.fromarray(rng.integers(0, 255, (5, 7, 3), 'uint8')).resize((70 + i, 90), Image.Resampling.BICUBIC)
    mode,path = ['RGB', 'CMYK', 'P', 'I;16', 'LA', 'RGBA', 'L', '1', 'gif', 'exif'][i//2 % 10],folder/f'{i}'
    if mode == 'CMYK': image.convert('CMYK').save(f'{path}.jpg')
    elif mode == 'I;16': Image.fromarray(np.asarray(image.convert('L')).astype('uint16')*257).save(f'{path}.png')
    elif mode == 'gif': image.convert('P').save(f'{path}.gif', save_all=True, append_images=[image.rotate(90).convert('P')])
    elif mode == 'exif':
        note = Image.Exif(); note[0x0112] = 3 + i % 6
        image.save(f'{path}.jpg', exif=note)
    elif mode in ('LA', 'RGBA'):
        alpha = Image.fromarray(rng.integers(0, 255, (90, 70 + i), 'uint8'))
        image = image.convert(mode); image.putalpha(alpha); image.save(f'{path}.png')
    else: image.convert(mode).save(f'{path}.png')


def test_imports():
    "Nothing but the standard library, NumPy, onnxruntime and Pillow, and pyarrow where it is there, also inside functions"
    allowed = {shared: {'numpy', 'onnxruntime'}, tables: {'numpy', 'pyarrow'}, pictures: {'numpy', 'PIL'}}
    for module,more in allowed.items():
        for o in ast.walk(ast.parse(Path(module.__file__).read_text())):
            names = [a.name for a in o.names] if isinstance(o, ast.Import) else [o.module] if isinstance(o, ast.ImportFrom) else []
            assert not getattr(o, 'level', 0) and all(n.split('.')[0] in sys.stdlib_module_names | more for n in names), (module, names)


# Tables

DATES = st.one_of(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)).map(lambda o: o.isoformat(' ')), st.dates(date(1900, 1, 1), date(2100, 1, 1)).map('{:%d.%m.%Y}'.format),
    st.from_regex(r'20[0-3]\d([-/. ]?)[01]?\d(\1[0-3]?\d)?([T ][0-2]?\d(:?[0-5]\d){0,2}(\.\d{0,9})?( ?(Z|[-+]\d\d(:?\d\d)?))?)?', fullmatch=True))
WORDS = st.one_of(st.none(), st.text(max_size=8), st.sampled_from(['', ' ', 'a', 'A', ' a  b', '3', '3.0', 'True', 'no', '1', 'é', 'ß', 'ẞ', 'İ', 'nan', '-0.0']))
NUMBERS = st.one_of(st.none(), st.floats(), st.integers(-10**15, 10**15), st.floats(width=32))
TEXTS = st.one_of(st.none(), st.floats(allow_nan=False).map(str), st.sampled_from(['1e5', '1,5', '1_0', ' 7 ', '-.5', '5.', 'inf', '0x1', '٣', '9'*400, '1e400', '+3', 'x', '']))
TABLES = st.integers(2, 9).flatmap(lambda n: st.fixed_dictionaries({k: st.lists(v, min_size=n, max_size=n)
    for k,v in dict(number=NUMBERS, text=TEXTS, word=WORDS, on=DATES, flag=st.sampled_from(['true', 'False', None])).items()}))


def same(schema, frame, items):
    "Whether the light module makes the same inputs"
    inputs = tables.from_spec(json.loads(json.dumps(schema.to_dict())))
    x_cat,x_cont = schema.encode(frame)
    [batch] = inputs.batches(items)
    x = inputs.encode(batch)
    np.testing.assert_array_equal(x['x_cat'], x_cat)
    np.testing.assert_allclose(x['x_cont'], x_cont, atol=1e-6)


@given(TABLES, TABLES)
@QUICK
def test_rows_become_the_same_inputs(table, later):
    "Whatever the cells hold: fitted on one table, laid over another, given as a frame, as columns or as rows"
    try: schema = TableSchema.fit(pd.DataFrame({**table, **dict(number=pd.Series(table['number'], dtype='float64'), extra=1)}))
    except DataError: return
    frame = pd.DataFrame({**later, **dict(number=pd.Series(later['number'], dtype='float64'))})
    if not any(tables.find_column(c.name, list(frame)) for c in schema.columns if c.kind != 'unused'): return
    for items in (frame, later, frame.astype(object).where(frame.notna(), None).to_dict('records')): same(schema, frame, items)


@given(st.lists(st.one_of(DATES, st.text('0123456789-/.: TZ+', max_size=20)), min_size=1, max_size=20), st.sampled_from(['ISO8601', '%d.%m.%Y', '%m/%d/%Y']))
@QUICK
def test_dates_are_read_alike(texts, fmt):
    "To the microsecond, in whatever way they are written"
    texts = [o for o in texts if o.strip()[:1].isdigit()]
    if not texts: return
    ours = to_dates(pd.Series(texts, dtype=object), fmt)
    for text,right in zip(texts, ours):
        found = tables.moment(text, fmt)
        assert (found is None) == pd.isna(right) and (found is None or abs(pd.Timestamp(found) - right) < pd.Timedelta(microseconds=1)), (text, found, right)


def test_dates_come_as_objects_too():
    schema = TableSchema.fit(pd.DataFrame(dict(on=pd.to_datetime(['2024-01-31 00:00', '2024-02-29 12:00', None]))))
    for frame in (pd.DataFrame(dict(on=pd.to_datetime(['2025-06-01', None]))), pd.DataFrame(dict(on=pd.to_datetime(['2025-06-01T02:00+02:00', None], utc=True)))):
        same(schema, frame, frame)
    same(schema, pd.DataFrame(dict(on=['2025-06-01', '2025-06-01'])), dict(on=[date(2025, 6, 1), np.datetime64('2025-06-01')]))


def test_columns_that_are_missing_more_or_called_otherwise(table):
    data,fitted,_ = table
    frame = data.frame.iloc[data.judged]
    for other in (frame.drop(columns=['age', 'job']), frame.assign(more='x', Zip=3), frame[frame.columns[::-1]], frame.rename(columns=str.upper), frame[['on']]):
        same(fitted.prep, other, other)
    with pytest.raises(ValueError, match='none of the columns of the model is there: size; known: age'): model_of(table[2]).predict([{'size': 3}])


@pytest.mark.parametrize('kind', [',', ';', '\t', '|', 'jsonl', 'parquet'])
def test_a_file_is_read_as_the_library_reads_it(tmp_path, kind):
    "Delimiter, decimal comma, sentinels, quotes, encoding, types"
    import decimal
    frame, path = hostile(), tmp_path/f"rows.{kind if kind.isalpha() else 'csv'}"
    frame.loc[::7, 'money'] = -9
    frame.loc[::5, 'job'] = '?'
    if kind == 'parquet':
        frame = frame.assign(at=pd.to_datetime(frame['at'].str[:10]), cents=[decimal.Decimal(o)/4 for o in range(len(frame))], whole=pd.array([None, 3, -9]*80, 'Int64'), yes=frame.age > 40, word=frame.job.astype('category'))
        frame.to_parquet(path)
    elif kind == 'jsonl': frame.to_json(path, orient='records', lines=True)
    else: frame.to_csv(path, index=False, sep=kind, decimal=',' if kind == ';' else '.', na_rep='?', encoding='cp1252')
    data = load(Recipe.for_tabular(data=path, target='income', data_missing=['-9']))
    schema = data.kind.prepare(data, data.train)
    inputs = tables.from_spec({**schema.to_dict(), 'missing': ['-9']})
    [batch] = inputs.batches(path)
    x,right = inputs.encode(batch), schema.encode(data.frame)
    np.testing.assert_array_equal(x['x_cat'], right[0])
    np.testing.assert_allclose(x['x_cont'], right[1], atol=1e-6)


@pytest.mark.parametrize('text, said', [('', 'empty'), ('a,b\n1\n', 'another number of fields'), ('[{"a": }]', 'no JSON')])
def test_bad_files_are_one_line(tmp_path, text, said):
    (tmp_path/'f.csv').write_text(text)
    with pytest.raises(ValueError, match=said) as e: tables.read_file(tmp_path/'f.csv')
    assert '\n' not in str(e.value)


def test_parquet_without_pyarrow(table, tmp_path, monkeypatch, capsys):
    data,_,folder = table
    data.frame.to_parquet(tmp_path/'rows.parquet')
    assert len(model_of(folder).predict(tmp_path/'rows.parquet')) == len(data.frame)
    (tmp_path/'broken.parquet').write_bytes(b'PAR1nothing')
    with pytest.raises(ValueError, match='broken Parquet'): tables.read_file(tmp_path/'broken.parquet')
    monkeypatch.setitem(sys.modules, 'pyarrow', None)
    assert shared.main(model_of(folder), 'cells', [str(tmp_path/'rows.parquet'), '--out', str(tmp_path/'o.csv')]) == 2
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 1 and err[0].startswith('cells: Parquet is read by pyarrow, which is not here') and not list(tmp_path.glob('o.csv*'))


# Pictures

def test_pictures_become_the_same_pixels(photos):
    "The library's pixels are the light module's, in every mode"
    data,fitted,_ = photos
    inputs = pictures.from_spec(dict(size=48, fit=fitted.prep.fit, tta=True))
    np.testing.assert_array_equal(inputs.encode(list(data.frame['path']))['x'], fitted.prep.encode(data.frame))


def test_a_picture_may_come_in_any_form(photos):
    data,_,folder = photos
    model,path = model_of(folder), data.frame['path'].iloc[0]
    image = Image.open(path)
    one = model.predict(path)
    assert set(one) == {'item', 'label', 'probability', 'top'} and one['item'] == path
    for items in (image, pictures.open_picture(path), np.asarray(pictures.open_picture(path)), {'path': path}, Path(path)): assert model.predict(items)['probability'] == one['probability']
    for items in ([path], pd.DataFrame({'path': [path]}), iter([Path(path)])): assert model.predict(items)[0]['probability'] == one['probability']
    assert len(model.predict(data.recipe.data.path)) == 40
    for bad in ('nothing.png', np.zeros((2, 2))):
        with pytest.raises(ValueError): model.predict([bad])


# Networks

NETS = [('tlnb', 'tiny', {}), ('torchvision', 'resnet18', {}), ('torchvision', 'mobilenet_v3_small', {}), ('torchvision', 'squeezenet1_1', {}),
    ('torchvision', 'squeezenet1_1', dict(places=True)), ('timm', 'vit_tiny_patch16_224', {})]

@pytest.mark.parametrize('library, name, more', NETS, ids=lambda o: o if isinstance(o, str) else ''.join(o))
@pytest.mark.parametrize('how', ['onnx', 'torch'])
def test_networks_for_pictures(library, name, more, how, tmp_path):
    "As ONNX, and as a list of torch's operations, they answer as they do, for any number of pictures; twice the same bytes"
    import onnxruntime as ort, torch
    from tlnb.onnx import to_onnx
    from tlnb.record import to_record
    from tlnb.replay import Replay
    from tlnb.source import Fitted
    from tlnb.vision.net import build
    from tlnb.vision.prep import PicturePrep
    torch.manual_seed(0)
    fitted = Fitted('vision', 'classification', list('abc'), PicturePrep(64, 'crop', [.5]*3, [.25]*3), build(dict(library=library, name=name, n_out=3, **more)).train())
    exporter = protocol('exporter', 'vision')
    write = dict(onnx=to_onnx, torch=to_record)[how]
    made = write(**exporter.traced(fitted))
    assert fitted.model.training
    if library == 'tlnb': assert write(**exporter.traced(fitted)) == made
    if how == 'torch':
        for k,v in made.items(): (tmp_path/k).write_bytes(v)
    session,x = ort.InferenceSession(made) if how == 'onnx' else Replay(tmp_path), np.random.default_rng(0).integers(0, 255, (7, 3, 64, 64), 'uint8')
    scores,features = session.run(['scores_raw', 'features'], dict(x=x))
    with torch.no_grad():
        ready = fitted.prep.normalise(torch.from_numpy(x))
        right = fitted.model.eval()(ready).numpy(), fitted.model.features(ready).numpy()
    np.testing.assert_allclose(scores, right[0], atol=1e-4*max(1, np.abs(right[0]).max()))
    np.testing.assert_allclose(features, right[1], atol=1e-4*max(1, np.abs(right[1]).max()))


# Whole packages

def test_parity_of_tables(table):
    from tlnb.parity import parity
    data,fitted,folder = table
    found = parity(fitted, data, folder)
    assert found['n'] == len(data.judged) and found['label_agreement'] == 1 and found['max_difference'] < 1e-5


def test_parity_of_pictures(photos):
    from tlnb.parity import parity
    data,fitted,folder = photos
    found = parity(fitted, data, folder)
    assert found['n'] == len(data.judged) and found['label_agreement'] == 1 and found['max_difference'] < 1e-4


@pytest.mark.parametrize('task', ['regression', 'multilabel'])
def test_parity_of_other_tasks(tmp_path, task):
    from tlnb.parity import parity
    frame = hostile()
    frame['income'] = frame.money if task == 'regression' else np.where(frame.age > 45, 'old;rich', np.where(frame.age > 35, 'rich', 'young'))
    frame.to_csv(tmp_path/'rows.csv', index=False)
    data = load(Recipe.for_tabular(data=tmp_path/'rows.csv', target='income', **(dict(data_separator=';') if task == 'multilabel' else {})))
    assert data.task == task
    fitted = untrained(data)
    folder = package(fitted, data, tmp_path/'cells')
    found = parity(fitted, data, folder)
    assert found['label_agreement'] == 1 and found['max_difference'] < 1e-4
    assert set(model_of(folder).predict(frame.iloc[:2])[0]) == ({'value'} if task == 'regression' else {'labels', 'probabilities'})


def test_parity_sees_a_difference(table, tmp_path):
    "Another scale in the package's own JSON, and a package that wants torch"
    import shutil
    from tlnb.parity import parity
    data,fitted,folder = table
    other = Path(shutil.copytree(folder, tmp_path/'other'))
    meta = json.loads((other/'model.json').read_text())
    meta['spec']['columns'][0]['scales'][0]['std'] *= 3
    (other/'model.json').write_text(json.dumps(meta))
    assert parity(fitted, data, other)['max_difference'] > 1e-4
    (other/'__init__.py').write_text('import torch')
    with pytest.raises(GateError, match='the package breaks: ImportError: torch is not for packages'): parity(fitted, data, other)


def test_a_threshold_of_groups(table, tmp_path):
    "Predict asks for the attribute; parity gives it, and holds"
    from tlnb.parity import parity
    data,fitted,_ = table
    limits = dict(attribute='job', positive='high', groups={'clerk': 0., 'Craft': 1.1}, other=.5)
    data = replace(data, frame=data.frame.assign(job=data.frame['job'].fillna('clerk')))
    folder = package(fitted, data, tmp_path/'cells', limits)
    assert parity(fitted, data, folder)['label_agreement'] == 1
    model = model_of(folder)
    assert [o['label'] for o in model.predict([dict(age=40, job='clerk'), dict(age=40, job='Craft')])] == ['high', 'low']
    with pytest.raises(ValueError, match="the threshold depends on 'job'"): model.predict({'age': 40})


def test_one_many_iterator(table):
    data,_,folder = table
    model,rows = model_of(folder), data.frame.iloc[:5].astype(object).where(data.frame.iloc[:5].notna(), None).to_dict('records')
    many = model.predict(rows, top=1)
    assert [len(o['top']) for o in many] == [1]*5 and isinstance(model.predict(rows[0]), dict)
    for items in (iter(rows), data.frame.iloc[:5], {k: [o[k] for o in rows] for k in rows[0]}): assert model.predict(items, top=1) == many
    assert model.predict([]) == [] and model.predict_proba([]).shape == (0, 2)
    np.testing.assert_allclose(model.predict_proba(rows[0])[0].max(), many[0]['probability'])
    assert next(model.predict_each(rows[i % 5] for i in range(10**9)))['label'] == many[0]['label'] # does not wait for the end
    with pytest.raises(ValueError, match='not a row: item 0 is a str'): model.predict(['x'])


def test_the_command(table, photos, tmp_path):
    data,_,folder = table
    call = lambda at, *args: subprocess.run([sys.executable, '-m', at.name, *map(str, args)], cwd=at.parent, capture_output=True, text=True)
    done = call(folder, data.recipe.data.path)
    found = pd.read_csv(io.StringIO(done.stdout))
    assert len(found) == len(data.frame) and list(found) == ['label', 'probability', 'p(high)', 'p(low)']
    done = call(folder, data.recipe.data.path, '--json', '--out', tmp_path/'o.jsonl')
    assert json.loads((tmp_path/'o.jsonl').read_text().splitlines()[0])['label'] == found.label[0] and not done.stdout
    assert call(folder, '--card').stdout == '# Card\n'
    done = call(folder, 'nothing.csv')
    assert done.returncode == 2 and done.stderr == 'cells: cannot be read: nothing.csv (No such file or directory)\n'
    assert list(pd.read_csv(io.StringIO(call(photos[2], photos[0].recipe.data.path).stdout)))[:2] == ['item', 'label']


# What is asked

def test_rows_in_every_form_of_pandas(table):
    "A row of a frame, a list of them, columns in a dict: each as the frame itself"
    data,_,folder = table
    model,frame = model_of(folder), data.frame.iloc[:4]
    right = model.predict(frame)
    assert model.predict(frame.iloc[0]) == right[0] and model.predict([frame.iloc[i] for i in range(4)]) == right and model.predict(frame.iloc[0].to_dict()) == right[0]
    for made in (dict(frame.items()), {k: v.array for k,v in frame.items()}, {k: v.to_numpy() for k,v in frame.items()}, {k: tuple(v) for k,v in frame.items()}, {k: pd.Index(v) for k,v in frame.items()}):
        assert model.predict(made) == right and len(model.predict_proba(made)) == 4
    assert model.predict(frame[:0]) == [] and model.predict([]) == []


@pytest.mark.parametrize('items, said', [(None, 'no rows: a NoneType; give a row as a dict'), (3, 'no rows: a int'), (2.5, 'no rows: a float'), ([None], 'not a row: item 0 is a NoneType'), ([{'age': 3}, 4], 'not a row: item 1 is a int'),
    ({'age': [1, 2, 3], 'k': [1, 2]}, "columns of different lengths: 'age' has 3 rows, 'k' has 2"), ({'age': pd.Series([1, 2]), 'k': 1}, "columns of different lengths: 'k' is a single value"),
    (pd.DataFrame([[1, 2]], columns=['age', 'age']), "two columns have the same name: 'age'"), (pd.Series([1, 2], index=['age', 'age']), "two columns have the same name: 'age'"),
    (['text'], 'not a row: item 0 is a str'), (np.zeros((2, 2)), 'not a row: item 0 is a ndarray'), ([pd.DataFrame({'age': [1]})], 'not a row: item 0 is a DataFrame')], ids=lambda o: type(o).__name__)
def test_what_is_no_row_is_one_line(table, items, said):
    model = model_of(table[2])
    for ask in (model.predict, model.predict_proba, model.check):
        with pytest.raises(ValueError) as e: ask(items)
        assert str(e.value).startswith(said) and '\n' not in str(e.value)


@pytest.mark.parametrize('text, said', [('age,k\n', 'no rows: '), ('age,k,age\n1,2,3\n', "two columns have the same name: 'age'")])
def test_files_without_rows_or_with_a_name_twice(table, tmp_path, text, said):
    (tmp_path/'f.csv').write_text(text)
    with pytest.raises(ValueError, match=said): model_of(table[2]).predict(tmp_path/'f.csv')


def test_pictures_in_every_form_of_pandas(photos):
    data,_,folder = photos
    model,frame = model_of(folder), data.frame[['path']].iloc[:3].assign(sex='f')
    right = model.predict(list(frame.path))
    assert model.predict(frame.iloc[0]) == right[0] and model.inputs.column([frame.iloc[0].to_dict()], 'sex') == ['f'] and model.inputs.column([frame.path.iloc[0]], 'sex') is None
    for items in (frame, frame.path, [frame.iloc[i] for i in range(3)], dict(frame.items()), dict(path=frame.path.to_numpy())): assert model.predict(items) == right
    for items,said in ((None, 'no pictures: a NoneType'), (3, 'no pictures: a int'), ([None], 'not a picture: a NoneType'), ({'path': list(frame.path), 'sex': ['f']}, 'columns of different lengths'), ({'path': list(frame.path), 'sex': 'f'}, 'columns of different lengths'),
            (frame.rename(columns=dict(sex='path')), 'two columns have the same name'), (frame[['sex']], 'no column path')):
        with pytest.raises(ValueError) as e: model.predict(items)
        assert str(e.value).startswith(said) and '\n' not in str(e.value)


# Thresholds of groups

@given(st.one_of(st.lists(st.one_of(st.none(), st.sampled_from([' a', 'a', 'b  c', 'b c', '1', '1.0', 'nan', ' ', '(missing)', 'f', ' f ']), st.text(max_size=4)), min_size=1, max_size=12),
    st.lists(st.one_of(st.none(), st.sampled_from([0., 1., 2., float('nan')])), min_size=1, max_size=9), st.lists(st.booleans(), min_size=1, max_size=5)))
@QUICK
def test_a_cell_finds_the_group_that_the_learner_put_it_in(cells):
    "Every group has a threshold of its own here; a blank cell is missing, as every reader takes it"
    from tlnb.groups import MISSING, group_names
    names = [MISSING if isinstance(c, str) and not c.strip() else n for c,n in zip(cells, group_names(cells))]
    assert [shared.group_of(o, set(names)) for o in cells] == names


def test_thresholds_of_groups(tmp_path, monkeypatch):
    "The package judges each judged row by the threshold by which the learner does, a missing attribute among them; it has to be given, in whatever spelling"
    import tlnb.parity
    hostile().assign(k=lambda o: o.k.where(o.index % 9 > 0)).to_csv(tmp_path/'rows.csv', index=False)
    data = load(Recipe.for_tabular(data=tmp_path/'rows.csv', target='income', sensitive=['job', 'k']))
    fitted = untrained(data)
    for i,(attribute,groups) in enumerate([('job', {'clerk': .999, 'Craft': .001}), ('job', {'clerk': .4, '(missing)': .999}), ('job', {'public service': .3, '(missing)': .001}), ('k', {'1': .001, '2': .999, '(missing)': .999})]):
        names = data.groups[attribute].unique()
        groups = {next(n for n in names if shared.group_of(k, {n}) == n): v for k,v in groups.items()}
        folder = package(fitted, data, tmp_path/f'm{i}', dict(attribute=attribute, positive='low', groups=groups, other=.5))
        found = tlnb.parity.parity(fitted, data, folder)
        assert found['label_agreement'] == 1 and '(missing)' in data.groups[attribute].iloc[data.judged].tolist()
    model = model_of(tmp_path/'m0')
    row = data.frame.iloc[0].to_dict()
    p = model.predict_proba(row)[0, model.classes.index('low')]
    model.thresholds = dict(attribute='job', positive='low', groups={'clerk': p + 1e-3, '(missing)': p - 1e-3}, other=p + 1e-3)
    monkeypatch.setattr(model, '_scores', lambda batch: np.array([[1 - p, p] if model.classes[1] == 'low' else [p, 1 - p]]))
    assert {model.predict({**row, 'job': o})['label'] for o in (None, np.nan, ' ', pd.NA, pd.NaT)} == {'low'} and {model.predict({**row, 'job': o})['label'] for o in (' clerk ', 'pilot')} == {'high'}
    with pytest.raises(ValueError, match="the threshold depends on 'job'"): model.predict({k: v for k,v in row.items() if k != 'job'})


# Drift

def test_no_false_alarm(table):
    "Judged rows of the same data, over many draws"
    rng,alarms = np.random.default_rng(0),0
    for _ in range(300):
        n,m = rng.integers(20, 3000), rng.integers(100, 5000)
        draw = lambda n: dict(a=dict(numbers=np.where(rng.random(n) < .1, np.nan, np.exp(rng.normal(size=n)))), b=dict(numbers=rng.integers(0, 5, n).astype(float)),
            c=dict(codes=np.where(rng.random(n) < .02, 0, rng.geometric(.3, n).clip(max=12)), categories=list('abcdefghijkl')))
        reference = dict(columns={k: shared.summary(v) for k,v in draw(m).items()})
        alarms += shared.compared(json.loads(json.dumps(reference)), draw(n))['word'] != 'steady'
    assert alarms == 0
    data,_,folder = table
    assert model_of(folder).check(data.frame.iloc[data.judged])['word'] == 'steady'


def test_no_false_alarm_of_features():
    "Also where features hang together"
    rng,mix = np.random.default_rng(0), np.random.default_rng(1).normal(size=(6, 64))
    draw = lambda n: (rng.normal(size=(n, 6)) @ mix + .3*rng.normal(size=(n, 64))).clip(0)
    words = [shared.drift_of_features(shared.summary_of_features(draw(rng.integers(100, 1000))), draw(rng.integers(5, 300)), shared.CHANCE)['word'] for _ in range(300)]
    assert set(words) == {'steady'}
    reference = shared.summary_of_features(draw(500))
    assert shared.drift_of_features(reference, draw(100) + 1, shared.CHANCE)['word'] == 'changed'


@pytest.mark.parametrize('column, how', [('age', lambda o: o + 15), ('job', lambda o: 'pilot'), ('on', lambda o: '01.01.2031'), ('money', lambda o: None), ('paid', lambda o: 'true')])
def test_a_planted_shift_is_seen(table, column, how):
    data,_,folder = table
    frame = data.frame.copy()
    frame[column] = frame[column].map(how)
    found = model_of(folder).check(frame)
    assert found['word'] == 'changed' and [k for k,v in found['columns'].items() if v['word'] != 'steady'] == [column]
    json.dumps(found)


def test_pictures_that_changed(photos):
    data,_,folder = photos
    model,cells = model_of(folder), [pictures.open_picture(o) for o in data.frame['path']]
    assert model.check(cells)['word'] == 'steady'
    found = model.check([Image.fromarray((np.asarray(o)*.15).astype('uint8')) for o in cells])
    assert found['word'] == 'changed' and found['columns']['brightness']['word'] == 'changed' and set(found['columns']) == {'brightness', 'contrast', '(features)'}
