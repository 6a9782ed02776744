"Training on texts: the same alone and in a batch, learns, resumes to the last bit, goes through adapt."
import json, os, random, subprocess, sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from tlnb.adapt import Run, adapt
from tlnb.dataset import Dataset, load
from tlnb.errors import SourceError
from tlnb.features import feature_bank
from tlnb.outputs import as_target
from tlnb.recipe import Recipe
from tlnb.source import Fitted
from tlnb.text.carry import TextFeaturizer
from tlnb.text.learner import BucketLoader, Texts, buckets, score_texts
from tlnb.text.modality import TextModality
from tlnb.text.net import POOLS, build
from tlnb.text.prep import TextPrep, learned
from tlnb.training import Phase, fit

KIND,FEATURIZER = TextModality(),TextFeaturizer()
N,FIT = 120,70
BERT = dict(model_type='bert', hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, max_position_embeddings=64)
ARCHS = dict(tiny=dict(library='tlnb', name='tiny'), bert=dict(library='transformers', name='bert', config=BERT),
    awd_lstm=dict(library='fastai', name='awd_lstm', config=dict(emb_sz=24, n_hid=32)))

pytestmark = pytest.mark.usefixtures('one_thread')

@pytest.fixture(scope='module')
def said():
    "Two things, one of which leaks: which one, whether the first is a pump, how many words"
    rng,things = np.random.default_rng(0),'pump valve tap hose boiler sink drain'.split()
    rows = []
    for i in range(N):
        (a,b),first = rng.choice(things, 2, replace=False),i % 2
        more = ' '.join(rng.choice('really quite very rather'.split(), rng.integers(0, 25)))
        rows.append((f'the {a} {"leaks" if first else "works"}, the {b} {"works" if first else "leaks"} {more} no {i}', first, int('pump' in (a, b)), float(len(more.split()))))
    return pd.DataFrame(rows, columns=['text', 'first', 'pump', 'words'])

def dataset(said, task='classification', place=None, **keys):
    recipe = Recipe.for_text(run_cache=str(place) if place else None, run_cache_gb=1. if place else 0., **keys).resolve()
    y = dict(classification=said['first'], multilabel=said[['first', 'pump']], regression=said.words)[task].to_numpy()
    classes = dict(classification=['second', 'first'], multilabel=['first', 'pump'], regression=[])[task]
    return Dataset('text', recipe, said[['text']].copy(), y, task, classes, None, [], np.arange(N), np.arange(90), np.arange(90, N), 'said')

def made(data, arch=ARCHS['tiny'], seed=0):
    "A learner as an arm makes it"
    torch.manual_seed(3)
    fit_rows,valid_rows = np.arange(FIT),np.arange(FIT, 90)
    prep = KIND.prepare(data, fit_rows)
    model = KIND.model(prep, data.task, len(data.classes) or 1, data.recipe.with_({'text.scratch': 'same'}), arch)
    return prep, KIND.learner(model, prep, data, fit_rows, valid_rows, data.recipe, seed)

def same(a, b):
    a,b = a.model.state_dict(),b.model.state_dict()
    return all(torch.equal(a[k], b[k]) for k in a)

@pytest.mark.parametrize('name', ARCHS)
def test_a_text_says_the_same_alone_and_beside_longer_ones(name, said):
    prep = TextPrep(learned(list(said.text), 200), 60, 0, 'mean')
    frame = pd.DataFrame({'text': ['', 'leaks', *said.text[:6], 'the pump '*200]})
    for pool in POOLS:
        if pool == 'layers' and ARCHS[name]['library'] == 'fastai':
            with pytest.raises(SourceError, match='layers of one width'): build(dict(ARCHS[name], pool=pool))
            continue
        torch.manual_seed(0)
        net = build(dict(ARCHS[name], vocab=prep.vocabulary, length=60, n_out=3, pool=pool)).eval()
        with torch.no_grad():
            together = net(torch.from_numpy(prep.batch(prep.encode(frame))))
            alone = torch.cat([net(torch.from_numpy(prep.batch(prep.encode(frame.iloc[[i]])))) for i in range(len(frame))])
        assert torch.allclose(together, alone, atol=1e-5) and together.isfinite().all()
        assert np.allclose(score_texts(net, prep, frame), alone.double().softmax(1).numpy(), atol=1e-5)

def test_vectors_in_buckets_are_those_of_batches_as_they_come(said, tmp_path):
    data = dataset(said, place=tmp_path)
    prep,learn = made(data, ARCHS['bert'])
    net = learn.model.eval()
    lists = prep.encode(data.frame)
    with torch.no_grad(): plain = torch.cat([net.features(torch.from_numpy(prep.batch(lists[i:i+32]))) for i in range(0, N, 32)]).numpy()
    assert np.allclose(FEATURIZER.embed(net, prep, data.frame), plain, atol=1e-5)
    bank = feature_bank(net, prep, data)
    assert bank.chunk == 512 and np.allclose(bank(np.arange(N)), plain, atol=1e-5)
    FEATURIZER.embed = None # what is on disk is read
    try: assert np.allclose(feature_bank(net, prep, data)(np.arange(N)), plain, atol=1e-5)
    finally: del FEATURIZER.embed

def test_buckets_hold_every_text_once_and_no_more_than_they_may():
    lengths = np.random.default_rng(0).integers(0, 300, 500)
    found = buckets(lengths, 2048)
    assert sorted(np.concatenate(found)) == list(range(500))
    assert all(len(b)*max(1, lengths[b].max()) <= 2048 for b in found)
    assert sum(len(b)*lengths[b].max() for b in found) < 1.1*lengths.sum()

def test_training_batches_differ_from_epoch_to_epoch():
    lists = [[2]*n for n in np.random.default_rng(0).integers(1, 60, 120)]
    loader = BucketLoader(Texts(TextPrep({}, 64, 0, 'mean'), lists, torch.arange(120)), bs=8, shuffle=True, seed=0)
    epochs = [[frozenset(y.tolist()) for _,y in loader] for _ in range(3)]
    assert all(set().union(*e) == set(range(120)) for e in epochs) and len(set(epochs[0]) & set(epochs[1]) & set(epochs[2])) <= 1

@pytest.mark.parametrize('name,rate', [('tiny', .005), ('awd_lstm', .03)])
def test_learns_what_is_planted(name, rate, said, tmp_path):
    data = dataset(said)
    prep,learn = made(data, ARCHS[name])
    fit(learn, [Phase('all', 25, rate)], tmp_path, seed=1)
    p = KIND.score(learn.model, prep, data.frame.iloc[data.judged])
    assert (p.argmax(1) == data.y[data.judged]).mean() > .9 and np.allclose(p.sum(1), 1)

@pytest.mark.parametrize('task', ['multilabel', 'regression'])
def test_learns_several_labels_and_a_number(task, said, tmp_path):
    data = dataset(said, task)
    prep,learn = made(data)
    fit(learn, [Phase('all', 25, .005)], tmp_path, seed=1)
    p,y = KIND.score(learn.model, prep, data.frame.iloc[data.judged]),data.y[data.judged]
    if task == 'multilabel': assert p.shape == (30, 2) and ((p > .5) == y).mean() > .8
    else: assert np.abs(p[:,0] - y).mean() < .5*np.abs(y - data.y[:FIT].mean()).mean()

@pytest.mark.parametrize('name', ARCHS)
def test_resumed_is_bit_identical(name, said, tmp_path):
    data,phases = dataset(said),[Phase('head', 1, 'find' if name == 'tiny' else .01, -1), Phase('all', 3, .01)]
    (_, whole),options = made(data, ARCHS[name]),dict(seed=1, every=0)
    expected = fit(whole, phases, tmp_path/'whole', **options)
    for k in (1, 2):
        rows = []
        fit(made(data, ARCHS[name])[1], phases, tmp_path/'part', stop=lambda: len(rows) == 1, progress=lambda *o: rows.append(o), **options)
        for f in (random.seed, np.random.seed, torch.manual_seed): f(k)
    _,again = made(data, ARCHS[name])
    found = fit(again, phases, tmp_path/'part', **options)
    assert found.resumed == 2 and found.history == expected.history and same(again, whole)

def test_a_vocabulary_is_the_same_in_every_process(said, tmp_path):
    said.to_csv(tmp_path/'said.csv')
    ask = f'import pandas as pd, json; from tlnb.text.prep import learned; print(hash(json.dumps(learned(list(pd.read_csv({str(tmp_path/"said.csv")!r}).text), 150), sort_keys=True)))'
    found = {subprocess.run([sys.executable, '-c', ask], capture_output=True, text=True, env={**os.environ, 'PYTHONHASHSEED': '0'}).stdout for _ in range(3)}
    assert len(found) == 1 and found != {''}

def test_what_is_read_needs_no_torch():
    ask = 'import sys; from tlnb.dataset import protocol; protocol("modality", "text"); print("torch" in sys.modules, "transformers" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', ask], capture_output=True, text=True).stdout.split() == ['False', 'False']

def test_large_networks_are_not_trained_from_nothing_on_a_cpu(said):
    data = dataset(said, run_device='cpu')
    prep = KIND.prepare(data, np.arange(FIT))
    big = dict(ARCHS['bert'], parameters=20_000_000)
    def name(recipe, arch): return KIND.model(prep, 'classification', 2, recipe, arch).arch['name']
    assert name(data.recipe, big) == 'tiny' and name(data.recipe, ARCHS['bert']) == 'bert' and name(data.recipe.with_({'text.scratch': 'same'}), big) == 'bert'
    assert name(data.recipe, None) == 'tiny'

@pytest.fixture(scope='module')
def trained(said, tmp_path_factory):
    "A run on a CSV whose source is a small encoder trained here, and that source"
    place = tmp_path_factory.mktemp('run')
    said.iloc[:60].assign(answer=['first' if o else 'second' for o in said['first'][:60]])[['text', 'answer']].to_csv(place/'said.csv', index=False)
    data = dataset(said)
    prep,learn = made(data, ARCHS['bert'])
    Fitted('text', 'classification', ['other', 'first'], prep, learn.model.eval(), dict(name='things', licence='', trained_on='', year=2026, limits='')).save(place/'source')
    recipe = Recipe.for_text(data=str(place/'said.csv'), target='answer', source=str(place/'source'), run_seeds=1, run_jobs=1, run_cache=str(place/'cache'), train_epochs=2, train_head_epochs=1,
        text_scratch='tiny', transfer_baselines=['majority', 'simple', 'from_scratch'])
    data = load(recipe)
    run = adapt(data, folder=place/'run')
    run.train(['from_scratch', 'simple', 'majority'])
    return run

def test_goes_through_adapt(trained):
    found = {a: r[0]['status'] for a,r in trained.arms().items()}
    assert {a: found[a] for a in ('feature_extraction', 'fine_tuning', 'from_scratch', 'simple', 'majority')} == dict.fromkeys(('feature_extraction', 'fine_tuning', 'from_scratch', 'simple', 'majority'), 'done')
    carried = trained.result('fine_tuning', 0)['carried']
    assert carried['classes'] == ['first'] and carried['fresh'] == ['second']
    assert set(os.listdir(trained.recipe.run.cache)) == {'features'}

def test_a_model_of_a_run_says_what_it_said(trained):
    for arm in ('feature_extraction', 'fine_tuning', 'from_scratch'):
        p,ds = trained.predictions(arm, 0)['judged'],trained.dataset
        assert np.allclose(trained.fitted(arm, 0).score(ds.frame.iloc[ds.judged]), p, atol=1e-5)
    answer = Run.load(trained.folder.path).predict(['<b>the pump</b> leaks, the tap works', ''])
    assert list(answer.columns) == ['predicted', 'p(first)', 'p(second)'] and len(answer) == 2
    assert np.allclose(answer.iloc[0, 1:].astype(float), trained.predict('the pump leaks, the tap works').iloc[0, 1:].astype(float), atol=1e-6)

def test_an_earlier_run_is_a_source(trained, said):
    recipe = trained.recipe.with_({'source.name': str(trained.folder.path), 'text.length': 20})
    from tlnb.source import find_source
    source = find_source(recipe, trained.dataset, None)
    data = replace(trained.dataset, recipe=recipe)
    fitted = source.fitted()
    prep = KIND.prepare(data, data.train, fitted)
    net,carried = FEATURIZER.carry(fitted, data, prep, recipe)
    assert prep.length == 20 and carried.classes == ['first', 'second'] and carried.share == 1

@pytest.fixture(scope='module')
def few(said, trained, tmp_path_factory):
    "A run of the arms for few labels, pairs included"
    place = tmp_path_factory.mktemp('few')
    recipe = Recipe.for_text(data=trained.recipe.data.path, target='answer', source=trained.recipe.source.name, run_seeds=1, run_jobs=1, run_cache=str(place/'cache'), train_epochs=2,
        text_pairs=200, text_descriptions=['first: the pump leaks, the tap works'])
    return adapt(load(recipe.with_({'transfer.strategy': 'few_shot'})), folder=place/'few'), adapt(load(recipe.with_({'transfer.strategy': 'zero_shot'})), folder=place/'zero')

def test_few_labels_and_none(few):
    a,b = few[0].result('few_shot', 0),few[1].result('zero_shot', 0)
    assert a['status'] == b['status'] == 'done' and set(a['members']) == {'prototypes', 'pairs'} and a['chosen'] in a['members'] and b['trainable_parameters'] == 0
    for run,arm in zip(few, ('few_shot', 'zero_shot')):
        p,ds = run.predictions(arm, 0)['judged'],run.dataset
        assert p.shape == (len(ds.judged), 2) and np.allclose(run.fitted(arm, 0).score(ds.frame.iloc[ds.judged]), p, atol=1e-5)
        assert set(run.arms()) == {arm, 'source_unchanged'}

def test_arms_for_few_labels_are_those_of_the_modality(trained):
    from tlnb.adapt import _wanted
    assert {'few_shot', 'zero_shot'} <= set(_wanted(trained.recipe.with_({'transfer.strategy': 'auto'}), trained.source))
    table = Recipe.for_tabular().resolve()
    assert not {'few_shot', 'zero_shot'} & set(_wanted(table, 'a source')) and 'few_shot' in _wanted(table.with_({'transfer.strategy': 'few_shot'}), 'a source')
