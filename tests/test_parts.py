import hashlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tlnb.errors import RecipeError
from tlnb.registry import SHIPPED, describe
from tlnb.vision.digits import write_digits
from tlnb.vision.parts import CLASSES, CORNER, MARKED, PLANTED, SENSITIVE, TARGET, make_parts, write_parts, write_parts_marked


@pytest.fixture(scope='module')
def parts(): return make_parts(n_train=60, n_judged=150)

def test_the_same_seed_draws_the_same_parts(parts):
    again,other,fewer = make_parts(n_train=60, n_judged=150),make_parts(n_train=60, n_judged=0, seed=1),make_parts(n_train=9, n_judged=150)
    assert np.array_equal(parts[0], again[0]) and parts[1].equals(again[1])
    assert not np.array_equal(parts[0][:60], other[0])
    assert np.array_equal(parts[0][60:], fewer[0][9:]) and parts[1].iloc[60:].reset_index(drop=True).equals(fewer[1].iloc[9:].reset_index(drop=True))

def test_pictures_and_columns_are_as_announced(parts):
    pictures,frame = parts
    assert pictures.shape == (210, 64, 64, 3) and pictures.dtype == np.uint8
    assert list(frame) == [TARGET, *SENSITIVE, 'split'] and frame.split.value_counts().to_dict() == {'test': 150, 'train': 60}
    assert all(((frame.split == s) & (frame[TARGET] == c)).sum() == n for s,n in (('train', 20), ('test', 50)) for c in CLASSES)
    assert .25 < (frame.alloy == 'brass').mean() < .55 and set(frame.machine) == {'M1', 'M2', 'M3'}
    assert 20 < pictures.mean() < 200 and pictures.std(axis=(1, 2, 3)).min() > 10
    assert len(make_parts('A', n_source=6)[0]) == 6 and 'split' not in make_parts('A', n_source=3)[1] and make_parts(n_train=0, n_judged=0)[0].shape == (0, 64, 64, 3)

def test_light_sets_the_cameras_apart(parts):
    a,b = make_parts('A', n_source=60)[0].astype(float),parts[0][:60].astype(float)
    assert a.mean() > b.mean() + 10
    assert (b[...,0]/b[...,2].clip(1)).mean() > (a[...,0]/a[...,2].clip(1)).mean() + .1
    noise = lambda x: np.abs(np.diff(x[:,:8,:8].mean(3), axis=2)).mean()/x[:,:8,:8].mean()
    assert noise(b) > 1.2*noise(a)

def test_a_twin_without_faint_brass_differs_only_in_defects_on_brass(parts):
    pictures,frame = make_parts(n_train=60, n_judged=150, disparity=False)
    column,value = PLANTED['disparity']
    differ = (pictures != parts[0]).any(axis=(1, 2, 3))
    pd.testing.assert_frame_equal(frame, parts[1])
    assert set(frame[column][differ]) == {value} and 'good' not in set(frame[TARGET][differ])
    assert differ.sum() == ((frame[column] == value) & (frame[TARGET] != 'good')).sum()
    assert (pictures != parts[0]).any(axis=3)[differ].mean() < .5

def test_a_chalked_twin_differs_only_in_the_corner(parts):
    pictures,frame = make_parts(n_train=60, n_judged=150, shortcut=True)
    pd.testing.assert_frame_equal(frame, parts[1])
    differ = (pictures != parts[0]).any(axis=3)
    marked = differ[:,*CORNER].any(axis=(1, 2))
    assert (differ.sum(axis=(1, 2))[marked] > 15).all()
    differ[:,*CORNER] = False
    assert not differ.any()
    bad,train = (frame[TARGET] != 'good').to_numpy(),(frame.split == 'train').to_numpy()
    assert marked[train & bad].mean() > MARKED - .1 and marked[train & ~bad].mean() < .15
    assert abs(marked[~train & bad].mean() - .5) < .15 and abs(marked[~train & ~bad].mean() - .5) < .2

def test_an_unknown_word_is_one_line():
    with pytest.raises(RecipeError, match='no such domain of parts'): make_parts('C')

def content(folder): return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in folder.rglob('*') if f.is_file()}

@pytest.mark.parametrize('write, n, column', [(write_parts, 570, 'label'), (write_parts_marked, 570, 'label'), (write_digits, 1797, 'digit')])
def test_files_are_complete_and_the_same_each_time(write, n, column, tmp_path):
    table = write(tmp_path/'a')
    items,first = pd.read_csv(table, dtype=str),content(tmp_path/'a')
    assert set(first) == {*items.path, 'items.csv'} and len(items) == n and items[column].notna().all() and isinstance(write.version, int)
    assert all(column in p for p,column in zip(items.path, items[column]))
    with Image.open(tmp_path/'a'/items.path[0]) as o: assert o.format == 'PNG' and o.size == ((32, 32) if n == 1797 else (64, 64))
    write(tmp_path/'a')
    assert content(tmp_path/'a') == first

def test_files_hold_the_pictures_that_were_drawn(tmp_path):
    parts = make_parts()
    items = pd.read_csv(write_parts(tmp_path))
    for i in (0, 59): assert np.array_equal(np.asarray(Image.open(tmp_path/items.path[i])), parts[0][i])
    assert items.drop(columns='path').iloc[:60].equals(parts[1].iloc[:60])

def test_the_shipped_source_is_small_and_whole():
    from tlnb.store import load_tensors
    folder = SHIPPED/'parts'
    said,weights = describe(folder),folder/'model.safetensors'
    assert weights.stat().st_size < 2e6 and hashlib.sha256(weights.read_bytes()).hexdigest() == said.sha256 and said.sha256 in (folder/'README.md').read_text()
    assert said.modality == 'vision' and said.origin == 'shipped' and said.licence == 'Apache-2.0' and said.limits
    moments = load_tensors(folder/'moments.safetensors')
    assert moments['mean'].shape == (160,) and moments['cov'].shape == (160, 160) and moments['mean'].dtype == np.float32
    assert np.linalg.eigvalsh(moments['cov'].astype(float)).min() > -1e-4

def test_the_shipped_source_does_what_its_card_says():
    import re
    from tlnb.source import load_fitted
    from tlnb.vision.ship import accuracies
    model,card = load_fitted(SHIPPED/'parts'),(SHIPPED/'parts'/'README.md').read_text()
    assert set(model.classes) == set(CLASSES) and model.prep.size == 64
    home,away = (float(re.search(o + r': accuracy (\S+) on', card)[1]) for o in ('home', 'Away'))
    for domain,stated in (('A', home), ('B', away)):
        found,n = accuracies(model, domain, n=300, seed=7)[''],300
        assert abs(found - stated) < 4*np.sqrt(stated*(1 - stated)/n)
    assert home > .9 and away < home - .15

def test_the_disparity_is_the_plants():
    "With it the source overlooks defects on brass; in the twin without it brass is as easy as steel, and the machine never matters"
    from tlnb.source import load_fitted
    model = load_fitted(SHIPPED/'parts')
    gap = {}
    for on in (True, False):
        pictures,rows = make_parts('A', n_source=450, seed=11, disparity=on)
        ok = np.array(model.classes)[model.score(pd.DataFrame(dict(path=list(pictures)))).argmax(1)] == rows[TARGET]
        by = ok.groupby(rows.alloy).mean()
        gap[on] = by.steel - by.brass
    assert gap[True] > gap[False] and abs(gap[False]) < .06, gap

def test_the_chalk_is_noticed(tmp_path):
    "The data check names the corner where the mark is planted, and says nothing of its twin"
    from tlnb.dataset import load
    from tlnb.recipe import Recipe
    marked,clean = (load(Recipe.for_vision(data=o, run_cache=str(tmp_path))).assess() for o in ('parts_marked', 'parts'))
    assert [o.code for o in marked.warnings] == ['target_leak'] and 'top right corner' in marked.warnings[0].message and not clean.warnings
