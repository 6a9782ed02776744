"The general offline source: its pictures are the same everywhere, its training goes on where it stopped, and what is shipped is small and of use"
import hashlib, json, shutil, sys
from pathlib import Path

import numpy as np
import pytest

from tlnb.registry import SHIPPED, sources
from tlnb.vision.shapes import FAMILIES, MARKS, draw, formulas

sys.path.insert(0, str(Path(__file__).resolve().parent/'bench'))
import offline_source  # noqa: E402

HOME = SHIPPED/'shapes'


def test_classes_have_names_of_their_own():
    names = [o.name for o in formulas()]
    assert len(set(names)) == len(names) <= 400 and {o.family for o in formulas()} == set(FAMILIES)
    assert [o.name for o in formulas() if o.family == 'mark'] == [f'mark-{k:03}' for k in range(len(MARKS))]

def test_a_picture_depends_on_its_number_alone():
    for o in formulas()[::29]:
        a = o.picture(4)
        assert a.dtype == np.uint8 and a.shape == (64, 64, 3)
        o.picture(1)
        np.testing.assert_array_equal(a, o.picture(4))
        assert (a != o.picture(5)).any() and (a != o.picture(4, seed=1)).any()

def test_every_family_at_another_size():
    for f in FAMILIES: assert next(o for o in formulas() if o.family == f).picture(size=32).shape == (32, 32, 3)

def test_drawn_pictures_are_those_of_their_classes():
    x,y = draw(2, families=['solid', 'count'])
    assert x.shape == (2*64, 3, 64, 64) and (np.bincount(y)[np.unique(y)] == 2).all()
    np.testing.assert_array_equal(x[5].transpose(1, 2, 0), formulas()[y[5]].picture(1))
    assert len(draw(1, families=['mark'], even=False)[0]) == FAMILIES['mark'][1]*len(MARKS)

def test_both_grey_and_coloured():
    x = draw(2, families=['contour', 'solid'])[0].astype(int)
    grey = (np.abs(x[:,0] - x[:,1]).mean((1, 2)) < 2)
    assert .1 < grey.mean() < .9

def test_training_goes_on_as_if_it_had_not_stopped(tmp_path, monkeypatch):
    import torch
    from tlnb.vision import pretrain
    few = {k: (v[0], 1, *v[2:]) for k,v in FAMILIES.items() if k == 'mark'}
    monkeypatch.setattr(pretrain, 'FAMILIES', few)
    monkeypatch.setattr('tlnb.vision.shapes.FAMILIES', {k: (v[0], 1, *v[2:]) for k,v in FAMILIES.items()})
    options = dict(steps=7, batch=8, each=3, small=32, device='cpu')
    a = pretrain.train(tmp_path/'a', **options)
    (tmp_path/'b').mkdir()
    shutil.copy(tmp_path/'a'/'mark.npz', tmp_path/'b')
    pretrain.train(tmp_path/'b', **options, stop_at=4)
    b = pretrain.train(tmp_path/'b', **options)
    for k,v in a.state_dict().items(): assert torch.equal(v, b.state_dict()[k]), k

def test_what_is_shipped():
    said = json.loads((HOME/'model.json').read_text())
    weights = (HOME/'model.safetensors').read_bytes()
    assert len(weights) < 2_000_000 and hashlib.sha256(weights).hexdigest() == said['info']['sha256']
    assert said['classes'] == [o.name for o in formulas()] and said['prep']['size'] == 64
    listed = next(o for o in sources() if o.name == 'shapes')
    assert (listed.origin, listed.licence, listed.year) == ('shipped', 'Apache-2.0', 2026) and listed.trained_on
    card = (HOME/'README.md').read_text()
    assert said['info']['sha256'] in card and listed.limits in card and any(c.isdigit() for c in listed.limits)

@pytest.fixture(scope='module')
def shapes():
    from tlnb.source import load_fitted
    return load_fitted(HOME)

def test_its_classes_are_told_apart(shapes):
    from tlnb.vision.pretrain import tell_apart
    assert tell_apart(shapes.model, each=1, seed=5)['all'] > .4

def test_five_labels_a_class_of_digits(shapes):
    import torch
    from sklearn.linear_model import LogisticRegression
    from tlnb.vision.net import TinyNet
    x,y,_,_ = offline_source.digits()
    x,y,judged = x[:700], y[:700], np.arange(400, 700)
    known,gain = offline_source.embed(shapes.model, x), []
    for seed in range(5):
        rows = offline_source.draw_rows(y, np.arange(400), 5, seed)
        torch.manual_seed(seed)
        right = []
        for f in (known, offline_source.embed(TinyNet(2), x)):
            f = (f - f[rows].mean(0))/(f[rows].std(0) + 1e-3)
            right.append((LogisticRegression(C=.1).fit(f[rows], y[rows]).predict(f[judged]) == y[judged]).mean())
        gain.append(right[0] - right[1])
    assert np.mean(gain) > .03, gain
