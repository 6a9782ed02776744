"Training on pictures: learns, resumes to the last bit, decodes once, freezes what it says it freezes."
import random, threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, ImageDraw

from tlnb.dataset import Dataset
from tlnb.outputs import as_target
from tlnb.recipe import Recipe
from tlnb.source import Fitted, load_fitted
from tlnb.training import Phase, fit
from tlnb.vision import prep as preparing
from tlnb.vision.carry import VisionFeaturizer
from tlnb.vision.learner import Augment, augment_view, batch_size, score_pictures, side_at, vision_learner
from tlnb.vision.modality import VisionModality
from tlnb.vision.net import TinyNet, build, has_norm
from tlnb.vision.prep import PicturePrep, pixel_bank
from tlnb.vision.simple import Pixels

KIND = VisionModality()
N,FIT = 96,60

pytestmark = pytest.mark.usefixtures('one_thread')

@pytest.fixture(scope='module')
def drawn(tmp_path_factory):
    "Squares and discs between red and blue on a noisy ground: paths, whether it is a disc, whether it is blue, how blue it is"
    place,rng,rows = tmp_path_factory.mktemp('pictures'),np.random.default_rng(0),[]
    for i in range(N):
        image = Image.fromarray(rng.integers(150, 255, (40, 56, 3)).astype('uint8'))
        x,y,w = rng.integers(10, 26), rng.integers(2, 18), int(rng.integers(12, 20))
        t = rng.uniform(0, .35) + .65*((i//2) % 2)
        colour = round(200*(1 - t)), 30, round(200*t)
        (ImageDraw.Draw(image).ellipse if i % 2 else ImageDraw.Draw(image).rectangle)([x, y, x+w, y+w], fill=colour)
        image.save(place/f'{i:03}.png')
        rows.append((str(place/f'{i:03}.png'), i % 2, (i//2) % 2, 10*t))
    return pd.DataFrame(rows, columns=['path', 'disc', 'blue', 'tint'])

def dataset(drawn, task='classification', place=None, **keys):
    recipe = Recipe.for_vision(run_cache=str(place) if place else None, run_cache_gb=1. if place else 0., vision_size=32, **keys).resolve()
    y = dict(classification=drawn.blue, multilabel=drawn[['disc', 'blue']], regression=drawn.tint.astype(float))[task].to_numpy()
    classes = dict(classification=['red', 'blue'], multilabel=['disc', 'blue'], regression=[])[task]
    return Dataset('vision', recipe, drawn[['path']].copy(), y, task, classes, None, [], np.arange(N), np.arange(80), np.arange(80, N), 'drawn')

def made(data, seed=0, model=None):
    "A learner as an arm makes it"
    torch.manual_seed(3)
    fit_rows,valid_rows = np.arange(FIT),np.arange(FIT, 80)
    prep = KIND.prepare(data, fit_rows)
    model = model or KIND.model(prep, data.task, len(data.classes) or 1, data.recipe)
    return prep, KIND.learner(model, prep, data, fit_rows, valid_rows, data.recipe, seed)

def trained(data, place, epochs=8, **more):
    prep,learn = made(data, **more)
    return prep, learn, fit(learn, [Phase('all', epochs, .01)], place, seed=1)

def same(a, b):
    a,b = a.model.state_dict(),b.model.state_dict()
    return all(torch.equal(a[k], b[k]) for k in a)

def test_learns_what_is_planted(drawn, tmp_path):
    data = dataset(drawn, vision_augment='light')
    prep,learn,_ = trained(data, tmp_path, 12)
    p = KIND.score_rows(learn.model, prep, data, data.judged)
    assert (p.argmax(1) == data.y[data.judged]).mean() > .9 and np.allclose(p.sum(1), 1)

def test_learns_several_labels_and_a_number(drawn, tmp_path):
    data = dataset(drawn, 'multilabel', vision_augment='none')
    prep,learn,_ = trained(data, tmp_path/'labels', 12)
    p = KIND.score(learn.model, prep, data.frame.iloc[data.judged])
    assert ((p > .5) == data.y[data.judged])[:,1].mean() > .9 and p.shape == (16, 2)
    data = dataset(drawn, 'regression', vision_augment='none')
    prep,learn,_ = trained(data, tmp_path/'number', 12)
    p = KIND.score(learn.model, prep, data.frame.iloc[data.judged])
    assert p.shape == (16, 1) and np.abs(p[:,0] - data.y[data.judged]).mean() < .7*np.abs(data.y[data.judged] - data.y[:FIT].mean()).mean()

WAYS = {'strong': dict(vision_augment='strong'), 'mixup, growing': dict(vision_augment='usual', vision_mix='mixup', vision_grow=True),
    'cutmix, smoothed': dict(vision_augment='light', vision_mix='cutmix', vision_label_smoothing=.1)}

@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('task', ['classification', 'multilabel', 'regression'])
def test_resumed_is_bit_identical(way, task, drawn, tmp_path):
    if task == 'regression' and way == 'strong': pytest.skip('as for classes')
    data = dataset(drawn, task, **WAYS[way])
    phases = [Phase('head', 1, 'find' if way == 'strong' else .01, -1), Phase('all', 3, .01)]
    (_, whole),options = made(data),dict(seed=1, every=0)
    expected = fit(whole, phases, tmp_path/'whole', **options)
    for k in (1, 2):
        rows = []
        fit(made(data)[1], phases, tmp_path/'part', stop=lambda: len(rows) == 1, progress=lambda *o: rows.append(o), **options)
        for f in (random.seed, np.random.seed, torch.manual_seed): f(k)
    _,again = made(data)
    found = fit(again, phases, tmp_path/'part', **options)
    assert found.resumed == 2 and found.history == expected.history and same(again, whole)

def test_changes_are_those_of_the_seed(drawn):
    x = torch.randint(0, 255, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for f in (random.seed, np.random.seed, torch.manual_seed): f(5)
    expected = random.random(), np.random.rand(), torch.rand(1).item()
    for f in (random.seed, np.random.seed, torch.manual_seed): f(5)
    views = [augment_view(x, 'usual', s) for s in (1, 1, 2)]
    assert (random.random(), np.random.rand(), torch.rand(1).item()) == expected
    assert torch.equal(views[0], views[1]) and not torch.equal(views[0], views[2]) and 0 <= views[0].min() and views[0].max() <= 1
    assert torch.equal(augment_view(x, 'none', 1), x/255.) and torch.equal(Augment('none')(x), x/255.)

def test_frozen_norm_keeps_its_statistics(drawn, tmp_path):
    def stats(m): return [o.clone() for b in has_norm(m) for o in (b.running_mean, b.running_var)]
    for how,pretrained,frozen in (('auto', True, True), ('auto', False, False), ('no', True, False), ('yes', True, True), ('yes', False, False)):
        data = dataset(drawn, vision_freeze_norm=how)
        model = TinyNet(2)
        model.pretrained,before = pretrained,stats(model)
        _,learn,_ = trained(data, tmp_path/f'{how}{pretrained}', 1, model=model)
        assert learn.train_bn is not frozen
        assert all(torch.equal(a, b) for a,b in zip(stats(learn.model), before)) is frozen

def test_grows(drawn, tmp_path):
    data,seen = dataset(drawn, vision_grow=True),[]
    prep,learn = made(data)
    learn.model.register_forward_pre_hook(lambda m, x: seen.append((m.training, x[0].shape[-1])))
    fit(learn, [Phase('all', 4, .01)], tmp_path)
    train = [s for t,s in seen if t]
    assert train[0] == side_at(32, 0) == 16 and train[-1] == 32 and train == sorted(train) and {s for t,s in seen if not t} == {32}

def test_mirror_image_is_averaged(drawn):
    data = dataset(drawn)
    prep,learn = made(data)
    x = torch.from_numpy(prep.encode(data.frame[:5]))
    with torch.no_grad(): by_hand = sum(learn.model.eval()(prep.normalise(o)).double().softmax(1) for o in (x, x.flip(3)))/2
    assert np.allclose(score_pictures(learn.model, replace(prep, tta=True), data.frame[:5]), by_hand.numpy(), atol=1e-6)
    assert dataset(drawn, vision_tta=True).recipe.vision.tta and KIND.prepare(dataset(drawn, vision_tta=True), np.arange(9)).tta

def test_a_cell_may_be_a_picture(drawn):
    data = dataset(drawn)
    prep,learn = made(data)
    path = drawn.path[0]
    image = Image.open(path).convert('RGB')
    grey = np.asarray(image.convert('L'))
    p = score_pictures(learn.model, prep, pd.DataFrame({'path': [path, image, np.asarray(image), grey, grey[...,None].repeat(3, 2)]}), bs=2)
    assert np.allclose(p[0], p[1]) and np.allclose(p[0], p[2]) and np.allclose(p[3], p[4]) and not np.allclose(p[0], p[3])
    assert score_pictures(learn.model, prep, data.frame[:0]).shape == (0, 2)

def test_each_picture_is_decoded_once_for_a_size(drawn, tmp_path, monkeypatch):
    opened,lock,was = [],threading.Lock(),preparing.open_picture
    def counted(cell):
        with lock: opened.append(cell)
        return was(cell)
    monkeypatch.setattr(preparing, 'open_picture', counted)
    data = dataset(drawn, place=tmp_path/'cache')
    prep,learn,_ = trained(data, tmp_path/'piece', 2)
    KIND.score_rows(learn.model, prep, data, data.judged)
    VisionFeaturizer().embed(learn.model, prep, data.frame)
    made(dataset(drawn, place=tmp_path/'cache'))
    assert len(opened) == len(set(opened)) == N
    assert KIND.score_rows(learn.model, prep, data, [3, 1]) == pytest.approx(KIND.score(learn.model, prep, data.frame.iloc[[3, 1]]))

def test_without_room_only_what_is_asked_for_is_decoded(drawn, tmp_path, monkeypatch):
    data = dataset(drawn, place=tmp_path)
    data.recipe = data.recipe.with_({'run.cache_gb': 1e-6}).resolve()
    bank = pixel_bank(data, PicturePrep(32, 'crop', [0.]*3, [1.]*3), data.recipe)
    assert bank([5, 80]).shape == (2, 3, 32, 32) and bank.array is None and not list(tmp_path.rglob('data'))

def test_no_step_has_a_single_picture():
    for n in range(2, 700):
        for bs in (0, 7, 64): assert n % batch_size(n, bs) != 1
    assert [batch_size(n) for n in (20, 100, 300, 5000)] == [16, 16, 32, 64]

def test_saved_and_loaded_says_the_same(drawn, tmp_path):
    data = dataset(drawn)
    prep,learn,_ = trained(data, tmp_path/'piece', 1)
    kept = Fitted('vision', data.task, data.classes, prep, learn.model.eval(), dict(name='a', origin='test'))
    kept.save(tmp_path/'model')
    assert np.allclose(load_fitted(tmp_path/'model').score(data.frame[:6]), kept.score(data.frame[:6]), atol=1e-6)

def test_what_is_trained_from_scratch(drawn):
    data = dataset(drawn)
    prep = KIND.prepare(data, np.arange(FIT))
    def name(arch, **keys): return KIND.model(prep, data.task, 2, dataset(drawn, **keys).recipe, arch).arch['name']
    large,small = dict(library='torchvision', name='resnet18', parameters=11_000_000), dict(library='torchvision', name='squeezenet1_1', parameters=700_000)
    assert name(None) == 'tiny' and name(large, run_device='cpu') == 'tiny' and name(small) == 'squeezenet1_1'
    assert name(large, vision_scratch='same') == 'resnet18' and name(small, vision_scratch='tiny') == 'tiny'

def test_carried_head(drawn):
    data,kind = dataset(drawn),VisionFeaturizer()
    prep = KIND.prepare(data, np.arange(FIT))
    def source(classes, task='classification', target=None): return Fitted('vision', task, classes, replace(prep, target=target), TinyNet(len(classes) or 1))
    whole = source(['blue', 'red', 'star'])
    net,carried = kind.carry(whole, data, prep, data.recipe)
    frame = data.frame[:4]
    z = np.log(score_pictures(whole.model, prep, frame)[:,[1, 0]])
    assert carried.share == 1 and carried.classes == ['red', 'blue'] and net.pretrained
    assert np.allclose(np.diff(np.log(score_pictures(net, prep, frame))), np.diff(z), atol=1e-5)
    net,carried = kind.carry(source(['star', 'blue']), data, prep, data.recipe)
    assert carried.to_dict() == dict(classes=['blue'], share=carried.share, fresh=['red']) and .99 < carried.share < 1
    assert kind.carry(source(['cat', 'dog']), data, prep, data.recipe)[1].classes == []
    number = dataset(drawn, 'regression')
    prep = KIND.prepare(number, np.arange(FIT))
    old = source([], 'regression', dict(mean=3., std=7.))
    net,carried = kind.carry(old, number, prep, data.recipe)
    assert carried.classes == ['target'] and np.allclose(score_pictures(net, prep, frame), old.score(frame), atol=1e-4)

def test_features(drawn):
    data,kind = dataset(drawn),VisionFeaturizer()
    prep = KIND.prepare(data, np.arange(FIT))
    model = build(dict(library='torchvision', name='mobilenet_v3_small', n_out=2)).train()
    plain = kind.embed(model, prep, data.frame[:6])
    assert model.training and plain.shape == (6, 1024) and plain.dtype == np.float32
    with torch.no_grad(): assert np.allclose(model.eval().features(prep.normalise(torch.from_numpy(prep.encode(data.frame[:6])))), plain, rtol=1e-3, atol=0)
    views = [kind.embed(model, prep, data.frame[:6], k, s) for k,s in ((1, 0), (1, 0), (2, 0), (1, 1))]
    assert np.array_equal(*views[:2]) and not np.array_equal(views[0], views[2]) and not np.array_equal(views[0], views[3])
    assert kind.views(data.recipe) == data.recipe.vision.views and kind.views(dataset(drawn, vision_augment='none').recipe) == 0
    keys = [kind.bank_key(model, o) for o in (prep, replace(prep, tta=True, augment='none'), replace(prep, size=40))]
    assert keys[0] == keys[1] != keys[2]
    before = has_norm(model)[0].running_mean.clone()
    kind.feed(model.train(), prep, data.frame[:6])
    assert not torch.equal(before, has_norm(model)[0].running_mean) and kind.bank_key(model, prep) != keys[0]

def test_linear_models_on_pixels(drawn):
    data = dataset(drawn, 'multilabel')
    y = np.c_[data.y, np.zeros(N, int), np.ones(N, int)]
    p = Pixels('multilabel', 0).fit(data.frame[:80], y[:80]).score(data.frame[80:])
    assert ((p > .5) == y[80:])[:,1].mean() > .8 and (p[:,2] < .02).all() and (p[:,3] > .98).all()
    few = Pixels('classification', 0).fit(data.frame[:3], np.array([0, 0, 2]))
    assert few.score(data.frame[:4]).shape == (4, 3) and (few.score(data.frame[:4])[:,1] == 0).all() and few.score(data.frame[:0]).shape == (0, 3)
    assert Pixels('regression', 0).fit(data.frame[:80], drawn.tint[:80]).score(data.frame[80:]).shape == (16, 1)
