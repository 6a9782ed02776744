"Pictures out of folders, tables and zips: the same data in whatever way it comes; copies kept off the judged rows; marks found"
import io, os, sys, subprocess, time, zipfile
from types import SimpleNamespace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance

from tlnb.choices import Choice, read_choices, write_choices
from tlnb.dataset import load
from tlnb.errors import TlnbError
from tlnb.recipe import Recipe
from tlnb.vision import checks, looks, read as reading
from tlnb.vision.picture import open_picture
from tlnb.vision.read import read as read_items
from tlnb.vision.show import show


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))
    looks._known.clear()

def scene(seed, size=(64, 48)):
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 255, (7, 7, 3), 'uint8')).resize(size, Image.Resampling.BICUBIC)

def put(path, image, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)

@pytest.fixture
def photos(tmp_path):
    "12 pictures of cats and 12 of dogs, a folder per class"
    for i in range(24): put(tmp_path/'photos'/('cats', 'dogs')[i % 2]/f'{i:02}.png', scene(i))
    return tmp_path/'photos'

def recipe(path, **options): return Recipe.for_vision(data=str(path), **options)
def dataset(path, **options): return load(recipe(path, **options))
def reads(path, **options): return read_items(recipe(path, **options).resolve())
def labels(d): return [d.classes[o] for o in d.y]

def refused(path, *parts, **options):
    with pytest.raises(TlnbError) as e: dataset(path, **options)
    line = str(e.value)
    assert '\n' not in line and 10 < len(line) < 500
    for o in parts: assert o in line, f'{o!r} is not in: {line}'


# ---- the ways in which pictures come
def test_folder(photos):
    d = dataset(photos)
    assert d.classes == ['cats', 'dogs'] and len(d.frame) == 24 and d.ids[0] == 'cats/00.png' and list(d.frame) == ['path']
    assert d.found == {'format': 'a folder per class', 'pictures': 24, 'sizes': '64 x 48 pixels', 'formats': 'PNG 24'}
    assert open_picture(d.frame.path[0]).size == (64, 48)

@pytest.mark.parametrize('sides', [('train', 'valid'), ('Train', 'Test'), ('training', 'val', 'test')])
@pytest.mark.parametrize('inside', [False, True])
def test_split_folders(tmp_path, sides, inside):
    for i in range(36):
        side, label = sides[(i//2) % len(sides)], 'ab'[i % 2]
        put(tmp_path/'x'/(f'{label}/{side}' if inside else f'{side}/{label}')/f'{i}.png', scene(i))
    d = dataset(tmp_path/'x')
    assert d.classes == ['a', 'b'] and len(d.judged) == 36//len(sides)
    last = sides[-1]
    assert all(f'{last}/' in d.ids[i] for i in d.judged) and not any(f'{last}/' in d.ids[i] for i in d.train)

def test_classes_called_train_and_plane(tmp_path):
    for i in range(24): put(tmp_path/('train', 'plane')[i % 2]/f'{i}.png', scene(i))
    assert dataset(tmp_path).classes == ['plane', 'train']

def test_what_is_no_picture_is_counted(photos):
    (photos/'cats'/'notes.txt').write_text('x'); (photos/'.hidden').mkdir(); (photos/'.hidden'/'a.png').write_bytes(b'x')
    put(photos/'loose.png', scene(99))
    assert {k: dataset(photos).found[k] for k in ('other files', 'pictures outside of classes', 'pictures')} == {'other files': 1, 'pictures outside of classes': 1, 'pictures': 24}

def table(photos, name='items.csv', **options):
    names = sorted(o.relative_to(photos).as_posix() for o in photos.rglob('*.png'))
    t = pd.DataFrame({'file': names, 'label': [o.split('/')[0] for o in names], 'who': [f'p{i//2}' for i in range(len(names))], 'sex': list('fm')*(len(names)//2),
        'part': ['train', 'train', 'test', 'test']*(len(names)//4)})
    t.to_csv(photos/name, index=False, **options)
    return photos/name

@pytest.mark.parametrize('options', [{}, dict(sep=';'), dict(sep='\t', encoding='utf-16')])
def test_table(photos, options):
    d = dataset(table(photos, **options), sensitive=['sex'], data_split='part', data_group='who')
    assert labels(d)[:2] == ['cats', 'cats'] and d.groups.sex[0] == 'f' and d.ids[0] == 'cats/00.png' and d.found['paths'] == 'file'
    assert len(d.cluster) == 24 and d.cluster[0] == d.cluster[1] != d.cluster[2] and set(d.judged) == {i for i in range(24) if i % 4 > 1}

def test_a_table_in_the_folder_says_what_its_pictures_are(photos):
    table(photos)
    d = dataset(photos, target='sex')
    assert d.classes == ['f', 'm'] and d.found['format'] == 'a table of paths'

def test_column_of_paths_is_known_by_its_files(photos):
    t = pd.read_csv(table(photos)).rename(columns={'file': 'where'})[['sex', 'where']].assign(where=lambda t: t['where'].str.replace('/', '\\'))
    t.to_csv(photos/'items.csv', index=False)
    d = dataset(photos/'items.csv')
    assert (d.target, d.found['paths'], d.ids[0]) == ('sex', 'where', 'cats/00.png')

def test_numbers_are_regressed(photos):
    pd.read_csv(table(photos))[['file']].assign(weight=np.linspace(1, 9, 24)).to_csv(photos/'items.csv', index=False)
    assert dataset(photos/'items.csv').task == 'regression'

def test_several_labels_stay_one_text(photos):
    pd.read_csv(table(photos))[['file']].assign(label=['1|2', '2']*12).to_csv(photos/'items.csv', index=False)
    assert reads(photos/'items.csv', data_separator='|').target.tolist()[:2] == ['1|2', '2']

def test_rows_without_file_are_named(photos):
    t = pd.read_csv(table(photos)); t.loc[3, 'file'] = 'cats/lost.png'; t.loc[4, 'file'] = None
    t.to_csv(photos/'items.csv', index=False)
    d = dataset(photos/'items.csv', target='label')
    note = next(o for o in d.notes if o.code == 'unreadable_file')
    assert note.count == 2 and 'cats/lost.png (no such picture)' in note.where and 'row 6' in note.where and len(d.frame) == 22

def zipped(photos, path, wrap=''):
    with zipfile.ZipFile(path, 'w') as zf:
        for o in photos.rglob('*.*'): zf.write(o, wrap + o.relative_to(photos).as_posix())
        zf.writestr('inner.zip', b'PK'); zf.writestr('__MACOSX/cats/._00.png', b'x')
    return path

@pytest.mark.parametrize('wrap', ['', 'my photos/'])
@pytest.mark.parametrize('csv', [False, True])
def test_zip(photos, tmp_path, wrap, csv):
    if csv: table(photos)
    d = dataset(zipped(photos, tmp_path/'photos.zip', wrap), **({'target': 'label'} if csv else {}))
    assert d.classes == ['cats', 'dogs'] and len(d.frame) == 24 and d.found['format'] == 'a zip: ' + ('a table of paths' if csv else 'a folder per class')
    again = dataset(tmp_path/'photos.zip', **({'target': 'label'} if csv else {}))
    assert again.fingerprint == d.fingerprint and again.frame.path[0] == d.frame.path[0]

def test_embedded_data_is_made_once(tmp_path, monkeypatch):
    made = []
    def make(folder):
        made.append(1)
        for i in range(24): put(folder/f'{i}.png', scene(i))
        pd.DataFrame({'path': [f'{i}.png' for i in range(24)], 'kind': list('ab')*12, 'side': ['train']*12 + ['test']*12}).to_csv(folder/'items.csv', index=False)
    make.version = 3
    monkeypatch.setitem(sys.modules, 'made_up', SimpleNamespace(make=make))
    monkeypatch.setitem(reading.EMBEDDED, 'blobs', ('made_up:make', {'data.target': 'kind', 'data.split': 'side'}))
    d, again = (dataset('blobs', run_cache=str(tmp_path/'c')) for _ in range(2))
    assert made == [1] and d.fingerprint == again.fingerprint and d.found['format'] == 'embedded data' and (d.target, d.n_judged) == ('kind', 12)
    refused('blosb', "did you mean 'blobs'?")


# ---- what is refused
def test_no_data(tmp_path, photos):
    refused(tmp_path/'fotos', "did you mean 'photos'?")
    refused('prats', "did you mean 'parts'?")
    (tmp_path/'empty').mkdir(); refused(tmp_path/'empty', 'no pictures', 'a folder per class')
    refused(photos/'cats', 'no folder per class', '12 pictures directly in')
    (photos/'dogs').rename(tmp_path/'dogs'); refused(photos, 'only one class folder', "'cats'")

def test_flat_train_and_test(tmp_path):
    for i in range(24): put(tmp_path/('train', 'test')[i % 2]/f'{i}.png', scene(i))
    refused(tmp_path, 'no folder per class', 'train')

def test_columns_of_a_folder(photos):
    for o in ('sensitive', 'data_group', 'data_split'): refused(photos, 'a folder has no columns', **{o: ['sex'] if o == 'sensitive' else 'sex'})

def test_tables_that_do_not_do(photos):
    path = table(photos)
    refused(path, 'no such column', 'label', target='labels')
    refused(path, 'the target cannot be the paths', target='file')
    pd.read_csv(path).drop(columns='label').to_csv(path, index=False); refused(path, 'no target', 'who, sex, part')
    pd.DataFrame({'a': ['x']*12, 'b': [1, 2]*6}).to_csv(path, index=False); refused(path, 'no column of paths', 'a, b', target='b')
    pd.DataFrame({'path': ['x.png']*12, 'b': [1, 2]*6}).to_csv(path, index=False); refused(path, 'no picture can be read', 'no such picture')

def test_two_tables(photos):
    table(photos, 'one.csv'); table(photos, 'two.csv')
    refused(photos, 'more than one table of paths', 'one.csv, two.csv')

def test_links_do_not_lead_out(photos, tmp_path):
    put(tmp_path/'secret'/'1.png', scene(77))
    (photos/'cats'/'link.png').symlink_to(tmp_path/'secret'/'1.png'); (photos/'more').symlink_to(tmp_path/'secret')
    d = dataset(photos)
    assert len(d.frame) == 24 and d.found['links'] == 2


# ---- fingerprint, cache, choices
def test_fingerprint(photos):
    first = dataset(photos).fingerprint
    assert dataset(photos).fingerprint == first
    put(photos/'cats'/'00.png', scene(500)); second = dataset(photos).fingerprint
    (photos/'cats'/'02.png').rename(photos/'cats'/'x.png'); third = dataset(photos).fingerprint
    assert len({first, second, third}) == 3

def test_nothing_is_decoded_twice(photos, monkeypatch):
    dataset(photos); looks._known.clear()
    monkeypatch.setattr(looks, 'look_at', lambda *a: pytest.fail('decoded again'))
    dataset(photos)

def test_a_broken_cache_is_made_again(photos):
    first = dataset(photos).fingerprint
    for o in Path(os.environ['XDG_CACHE_HOME']).rglob('looks/*.npz'): o.write_bytes(o.read_bytes()[:100])
    looks._known.clear()
    assert dataset(photos).fingerprint == first

def test_choices(photos):
    first = dataset(photos)
    (photos/'dogs'/'03.png').write_bytes(b'')
    write_choices(photos/'choices.csv', {'dogs/03.png': Choice('delete'), 'dogs/05.png': Choice('relabel', 'cats'), 'dogs/07.png': Choice('skip'), 'gone.png': Choice('delete')})
    d = dataset(photos)
    assert d.fingerprint != first.fingerprint and labels(d).count('cats') == 13 and len(d.frame) == 23 and 'dogs/03.png' not in d.ids
    assert d.found['choices'] == '1 relabelled, 1 left out (choices.csv)' and [o.where for o in d.notes] == ['gone.png']
    (photos/'choices.csv').rename(photos.parent/'mine.csv')
    assert dataset(photos, data_choices=str(photos.parent/'mine.csv')).found['choices']
    refused(photos, 'no such file', 'data.choices', data_choices='other.csv')

def test_choices_are_mended_by_hand(tmp_path):
    path = tmp_path/'c.csv'
    path.write_bytes('\ufefffile;choice;label\r\na.png;relabel;Köter\r\n\r\n'.encode())
    assert read_choices(path) == {'a.png': Choice('relabel', 'Köter')}
    for text, part in (('a,b\n1,2\n', 'not a file of choices'), ('file,choice,label\n,delete,\n', 'about nothing'), ('file,choice\na,relable\n', "did you mean 'relabel'?")):
        path.write_text(text)
        with pytest.raises(TlnbError, match=part): read_choices(path)


# ---- copies
def test_copies_of_all_kinds_stay_together(tmp_path):
    make = dict(small=lambda o: o.resize((100, 80)), bright=lambda o: ImageEnhance.Brightness(o).enhance(1.25), mirrored=lambda o: o.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    for i in range(40): put(tmp_path/'ab'[i % 2]/f'{i:02}.png', scene(i, (200, 160)))
    for i, (k, f) in enumerate(make.items()): put(tmp_path/'ab'[i % 2]/f'{i:02} {k}.jpg', f(scene(i, (200, 160))), quality=60)
    put(tmp_path/'b'/'00 again.bmp', scene(0, (200, 160)))
    d = dataset(tmp_path)
    by_number = pd.Series(d.cluster).groupby([o.split('/')[1][:2] for o in d.ids])
    assert (by_number.nunique() == 1).all() and len(set(d.cluster)) == 40
    assert {o.code: o.count for o in d.notes} == {'duplicate_across_split': 2, 'near_duplicate': 5-1, 'conflicting_label': 2} or {o.code for o in d.notes} == {'duplicate_across_split', 'near_duplicate', 'conflicting_label'}

def test_copies_are_taken_out_of_given_judged_rows(tmp_path):
    for i in range(40): put(tmp_path/('train', 'test')[i//2 % 2]/'ab'[i % 2]/f'{i:02}.png', scene(i))
    put(tmp_path/'test'/'a'/'copy.jpg', scene(0), quality=70)
    d = dataset(tmp_path)
    assert 'test/a/copy.jpg' not in [d.ids[i] for i in d.judged] and d.n_judged == 20

def test_catsdogs_are_no_copies_and_bear_no_marks(data_dir):
    d = dataset(data_dir/'catsdogs')
    assert (d.n_train, d.n_judged) == (200, 100) and not d.notes and not checks.warnings(d)


# ---- marks
def marked(folder, mark, n=60, seed=0, size=(64, 64), classes='ab', split=False):
    for i in range(n):
        a = np.asarray(scene([seed, i], size)).copy()
        mark(a, i % len(classes), i)
        put(folder/(('train' if i < n/2 else 'test') if split else '')/classes[i % len(classes)]/f'{i:03}.png', Image.fromarray(a))
    return checks.warnings(dataset(folder))

def corner(a, label, i):
    if label: a[-5:, -5:] = 255, 255, 0

@pytest.mark.parametrize('size', [(64, 64), (300, 200)])
def test_a_mark_of_five_pixels(tmp_path, size):
    w, = marked(tmp_path, corner, size=size)
    assert w.code == 'target_leak' and 'bottom right corner' in w.where and w.count == 1

def test_a_mark_on_one_of_three_classes(tmp_path):
    w, = marked(tmp_path, lambda a, c, i: a.__setitem__(np.s_[2:7, 2:7], 0) if c == 2 else None, n=90, classes='abc')
    assert w.where == "top left corner (tells 'c')"

def test_a_mark_that_is_not_on_the_judged_pictures(tmp_path):
    w, = marked(tmp_path, lambda a, c, i: corner(a, c if i < 60 else i//2 % 2, i), n=120, split=True)
    assert 'no longer: bottom right corner' in w.message

def test_another_camera(tmp_path):
    for i in range(60): put(tmp_path/'ab'[i % 2]/f'{i}.png', scene(i, (64, 64) if i % 2 else (80, 64)))
    w, = checks.warnings(dataset(tmp_path))
    assert 'size in pixels' in w.where

@pytest.mark.parametrize('seed', range(8))
def test_no_mark_no_word(tmp_path, seed): assert not marked(tmp_path, lambda *a: None, n=(40, 60, 90)[seed % 3], seed=seed, classes='abc'[:2 + seed % 2], size=(32, 32))

def test_a_frame_that_all_pictures_have_is_no_mark(tmp_path):
    def white(a, c, i): a[:6] = a[-6:] = a[:, :6] = a[:, -6:] = 255
    assert not marked(tmp_path, white)

def test_classes_of_colour_are_no_mark(tmp_path):
    "What is told by its middle as well is what the classes are about"
    def tint(a, c, i): a[..., c] = 255; a[..., 1 - c] //= 3
    assert not [o for o in marked(tmp_path, tint) if 'corner' in o.where or 'edge' in o.where]


# ---- shown, and what it costs
def test_show(photos):
    d = dataset(photos)
    page = show(d, d.sample(4))
    assert page.count('<img src="data:image/') == page.count('alt="') == 4 and '<script' not in page and 'cats</figcaption>' in page

def test_reading_loads_no_training_library():
    code = 'import sys, tlnb.vision.read, tlnb.vision.checks, tlnb.vision.show; print(*sys.modules)'
    loaded = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent).stdout.split()
    assert not {'torch', 'fastai', 'sklearn', 'matplotlib'} & set(loaded)
