"Suspects: labels that were changed on purpose come first, clean ones are left alone, judged rows are never shown."
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tlnb.dataset import load
from tlnb.errors import DataError, RecipeError
from tlnb.recipe import Recipe
from tlnb.suspects import cells, picture, suspects


def changed(ds, seed, share=.1):
    "The dataset with this share of the training labels changed, and which"
    rng = np.random.default_rng(seed)
    wrong = rng.permutation(ds.train)[:round(share*ds.n_train)]
    y = ds.y.copy()
    y[wrong] = (y[wrong] + rng.integers(1, len(ds.classes), len(wrong))) % len(ds.classes)
    return replace(ds, y=y),set(wrong.tolist())

def hits(found, wrong): return np.mean([o['row'] in wrong for o in found])


@pytest.fixture(scope='module')
def cancer(): return load(Recipe.for_tabular(data='breast_cancer'))

@pytest.fixture(scope='module')
def loans(): return load(Recipe.for_tabular(data='loans', source='loans'))

@pytest.fixture(scope='module')
def shapes(tmp_path_factory):
    from rounds import rounds
    return load(Recipe.for_vision(data=str(rounds(tmp_path_factory.mktemp('shapes'), 120))))


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('name,least', [('cancer', .9), ('shapes', .9), ('loans', .3)])
def test_changed_labels_come_first(name, least, seed, request):
    ds,wrong = changed(request.getfixturevalue(name), seed)
    found = suspects(ds, n=len(wrong)//2)
    assert len(found) and hits(found, wrong) >= least, (hits(found, wrong), len(found))
    assert [o['score'] for o in found] == sorted((o['score'] for o in found), reverse=True)

@pytest.mark.parametrize('name', ['cancer', 'shapes'])
def test_few_are_suspicious_where_labels_are_right(name, request):
    ds = request.getfixturevalue(name)
    assert sum(o['confidence'] > .9 for o in suspects(ds, n=None)) <= .02*ds.n_train

def test_judged_rows_are_never_shown(loans):
    ds,_ = changed(loans, 0)
    y = ds.y.copy()
    y[ds.judged] = 1 - y[ds.judged]
    found = suspects(replace(ds, y=y), n=None)
    assert not {o['row'] for o in found} & set(ds.judged.tolist())
    assert found.to_dict() == suspects(ds, n=None).to_dict(), 'nor do they matter'

def test_same_twice(loans): assert suspects(loans).to_dict() == suspects(loans).to_dict()

def test_n(loans):
    assert len(suspects(loans, n=3)) == 3 and suspects(loans, n=3).found == len(suspects(loans, n=None))
    with pytest.raises(RecipeError, match='nothing to show'): suspects(loans, n=0)


class Opinion:
    "Stands for a run: what it says of rows"
    source,folder = None,type('F', (), dict(path='here'))
    def __init__(self, classes, p): self.classes,self.p = classes,p
    def fitted(self): return self
    def score(self, frame): return self.p[frame.index]

def test_a_run_counts(cancer):
    ds,wrong = changed(cancer, 0)
    right = np.eye(2)[cancer.y]*.9 + .05
    alone,both = suspects(ds, n=None),suspects(ds, Opinion(ds.classes, right), n=None)
    assert len({o['row'] for o in both} & wrong) > len({o['row'] for o in alone} & wrong)
    assert all(o['loss'] is not None and 'the run' in o['why'] for o in both) and 'run' in both.by
    with pytest.raises(DataError, match='other classes'): suspects(ds, Opinion(['a', 'b'], right))


def test_numbers_and_labels(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    off = 10*x[:,0] + rng.normal(size=200)
    pd.DataFrame(x, columns=list('abc')).assign(y=off.round(3)).to_csv(tmp_path/'n.csv', index=False)
    ds = load(Recipe.for_tabular(data=str(tmp_path/'n.csv'), target='y'))
    y,i = ds.y.copy(),ds.train[7]
    y[i] += 60
    found = suspects(replace(ds, y=y))
    assert found[0]['row'] == i and found[0]['confidence'] > .99 and 'usual errors' in found[0]['why'] and len(found) < 10

    y = x[:,:2] > 0
    text = [';'.join(c for c,o in zip(('up', 'left'), row) if o) for row in y]
    pd.DataFrame(x, columns=list('abc')).assign(y=text).to_csv(tmp_path/'l.csv', index=False)
    ds = load(Recipe.for_tabular(data=str(tmp_path/'l.csv'), target='y', data_separator=';'))
    i = next(o for o in ds.train if abs(x[o,:2]).min() > 1)
    y = ds.y.copy()
    y[i,0] = 1 - y[i,0]
    found = suspects(replace(ds, y=y))
    assert i in [o['row'] for o in found][:3]
    mine = next(o for o in found if o['row'] == i)
    assert mine['suggested'] == ds.said([i], '(no label)')[0] != mine['label']


# ---- what is shown
def test_frame_dict_and_page(shapes, cancer):
    for ds in (shapes, cancer):
        found = suspects(changed(ds, 1)[0], n=5)
        assert found.to_frame().columns.tolist()[:4] == ['id', 'label', 'suggested', 'confidence'] and len(found.to_frame()) == len(found)
        assert 'row' not in found.to_dict()['suspects'][0]
        page = found._repr_html_()
        assert '<script' not in page and all(o['id'] in page for o in found)
        assert page.count('<img src="data:image/') == (len(found) if ds is shapes else 0)
    assert picture(cancer, 0, 50) is None and cells(cancer, 0)[0][0] == cancer.frame.columns[0]

def test_nothing_is_said_so(shapes):
    clean = suspects(shapes)
    clean.rows = []
    assert 'Nothing suspicious' in clean._repr_html_()

def test_hostile_names_stay_text(tmp_path):
    bad = '<img src=x onerror=alert(1)>'
    rng = np.random.default_rng(0)
    x = rng.normal(size=120)
    y = np.where(x > 0, bad, 'no')
    y[:3] = np.where(x[:3] > 0, 'no', bad)
    pd.DataFrame({bad + '2': x, 'b': rng.choice([bad, 'k'], 120), 'y': y}).to_csv(tmp_path/'a.csv', index=False)
    page = suspects(load(Recipe.for_tabular(data=str(tmp_path/'a.csv'), target='y')))._repr_html_()
    assert not re.search(r'<img[^>]*onerror', page) and '&lt;img' in page

def test_a_picture_that_has_gone(shapes, tmp_path):
    frame = shapes.frame.copy()
    frame.loc[0, 'path'] = str(tmp_path/'gone.png')
    assert picture(replace(shapes, frame=frame), 0, 50) == ''
