"Texts without labels: what is guessed, whose texts are read, what it was worth, and that it can be stopped anywhere."
import json, os, random
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import tlnb.arms
from tlnb.adapt import adapt
from tlnb.arms import BARE, LANGUAGE, piece_steps, train_piece
from tlnb.dataset import load
from tlnb.errors import DataError
from tlnb.evaluate import evaluate
from tlnb.judgement import verdict_words
from tlnb.recipe import Recipe
from tlnb.report import report
from tlnb.source import Fitted, find_source
from tlnb.store import RunFolder, load_tensors
from tlnb.text.language import Guesser, Guesses, free_texts, hide, language_learner, special_of
from tlnb.text.modality import TextModality
from tlnb.text.net import build
from tlnb.text.prep import TextPrep, learned
from tlnb.training import Phase, fit

BERT = dict(model_type='bert', hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, max_position_embeddings=64)
ARCHS = dict(tiny=dict(library='tlnb', name='tiny'), bert=dict(library='transformers', name='bert', config=BERT),
    awd_lstm=dict(library='fastai', name='awd_lstm', config=dict(emb_sz=24, n_hid=32)))
THINGS = dict(pipes='pump valve leaks water wet drips tap'.split(), money='invoice bill paid bank costs card fee'.split())

pytestmark = pytest.mark.usefixtures('one_thread')

def texts(n, seed):
    rng = np.random.default_rng(seed)
    rows = [(list(THINGS)[i % 2], ' '.join(rng.choice(THINGS[list(THINGS)[i % 2]], 5)) + f' no {i*7 + seed}') for i in range(n)]
    return pd.DataFrame(rows, columns=['what', 'text'])

@pytest.fixture(scope='module')
def place(tmp_path_factory):
    "A table of texts, a file of texts without labels, and sources that have seen neither: one for the same classes, one without classes"
    d = tmp_path_factory.mktemp('language')
    own = texts(60, 1).assign(split=['train']*40 + ['test']*20)
    own.to_csv(d/'own.csv', index=False)
    pd.concat([texts(40, 5), own[35:45]])[['text']].to_csv(d/'free.csv', index=False)
    prep = TextPrep(learned(list(texts(80, 9).text), 90), 24, 0, 'mean')
    for name,classes in (('tiny', ['money', 'pipes']), ('awd_lstm', [])):
        torch.manual_seed(0)
        net = build(dict(ARCHS[name], vocab=prep.vocabulary, length=24, n_out=len(classes) or 1))
        Fitted('text', 'classification', classes, replace(prep, pool=net.arch['pool']), net.eval(), dict(name=name, licence='', trained_on='', year=2026, limits='')).save(d/name)
    return d

def recipe(place, source='tiny', **keys):
    return Recipe.for_text(**dict(dict(data=str(place/'own.csv'), target='what', data_split='split', source=str(place/source), run_seeds=1, run_jobs=1, run_cache=str(place/'cache'), train_epochs=2,
        train_head_epochs=1, text_scratch='tiny', strategy='domain_adaptation', metric='accuracy', transfer_labels_needed=False, text_language_epochs=2, transfer_baselines=['simple']), **keys))

def test_special_pieces_and_the_mask():
    assert special_of(learned(['a b c'], 20)) == ([0, 1, 2, 3, 4], 4)
    assert special_of({'added_tokens': [dict(id=0, content='<s>', special=True), dict(id=9, content='<mask>', special=True), dict(id=7, content='mask', special=False)]}) == ([0, 9], 9)
    assert special_of({}) == ([], None)

def test_pieces_are_hidden_as_often_as_they_should_be():
    x = torch.randint(5, 200, (400, 50)); x[:, 0] = 2; x[:, 40:] = 0
    seen,at = hide(x, 200, [0, 1, 2, 3, 4], 4, torch.Generator().manual_seed(0))
    assert abs(at[:, 1:40].float().mean() - .15) < .01 and not at[:, 0].any() and not at[:, 40:].any()
    assert abs((seen[at] == 4).float().mean() - .8) < .03 and abs((seen[at] == x[at]).float().mean() - .1) < .03 and (seen[at] >= 4).all() and torch.equal(seen[~at], x[~at])

def test_a_text_of_one_piece_still_gives_something_to_guess():
    prep = TextPrep(learned(['pump'], 20), 8, 0, 'mean')
    for onward in (False, True):
        guesses = Guesses(prep, [[2, 7, 3], [2, 3], []], onward, 0)
        assert len(guesses) == (2 if onward else 1)
        for _ in range(20):
            seen,at,right = guesses[torch.tensor([0])]
            assert at.any() and len(right) == at.sum() and (onward or right.tolist() == [7])

def test_what_it_chooses_by_stays_hidden_and_what_it_reads_does_not(place):
    prep,rows = TextPrep(learned(list(texts(40, 1).text), 90), 24, 0, 'mean'),torch.arange(40)
    def twice(seed):
        g = Guesses(prep, prep.encode(texts(40, 1)), False, seed)
        return [(g.begin(random.Random(0)), g[rows][1])[1] for _ in range(2)]
    a,b = twice(0)
    assert torch.equal(a, b)
    a,b = twice(None)
    assert not torch.equal(a, b)

@pytest.mark.parametrize('name', ARCHS)
def test_nothing_that_is_to_be_guessed_is_seen(name, place):
    "One guess for each place; that of the next piece comes from those before it alone"
    prep = TextPrep(learned(list(texts(40, 1).text), 90), 24, 0, 'mean')
    torch.manual_seed(0)
    model = Guesser(build(dict(ARCHS[name], vocab=prep.vocabulary, length=24))).eval()
    onward = name == 'awd_lstm'
    x = torch.from_numpy(prep.batch(prep.encode(texts(8, 1))))
    seen,at = (x[:, :-1], (x[:, 1:] != 0)) if onward else hide(x, prep.vocabulary, [0, 1, 2, 3, 4], 4, torch.Generator().manual_seed(1))
    with torch.no_grad(): p = model(seen, at)
    assert p.shape == (int(at.sum()), prep.vocabulary) and p.isfinite().all()
    if onward: # the guess of a piece comes from those before it alone
        k = 4
        other = seen.clone(); other[:, k:] = 6
        first = torch.zeros_like(at); first[:, :k] = at[:, :k]
        with torch.no_grad(): assert torch.allclose(model(seen, first), model(other, first), atol=1e-6)

def learner(place, name, **keys):
    data = load(recipe(place, **keys))
    torch.manual_seed(3)
    prep = TextModality().prepare(data, np.arange(30))
    net = build(dict(ARCHS[name], vocab=prep.vocabulary, length=prep.length))
    return net, language_learner(net, prep, data, np.arange(30), np.arange(30, 40), data.recipe, 0)[0]

@pytest.mark.parametrize('name', ARCHS)
def test_reads_on_from_where_it_was_stopped(name, place, tmp_path):
    phases,options = [Phase('last', 1, .01, -1), Phase('all', 2, .01)],dict(seed=1, every=0)
    whole,made = learner(place, name)
    expected = fit(made, phases, tmp_path/'whole', **options)
    rows = []
    fit(learner(place, name)[1], phases, tmp_path/'part', stop=lambda: len(rows) == 2, progress=lambda *o: rows.append(o), **options)
    for f in (random.seed, np.random.seed, torch.manual_seed): f(5)
    net,made = learner(place, name)
    found = fit(made, phases, tmp_path/'part', **options)
    assert found.resumed == 2 and found.history == expected.history
    assert all(torch.equal(v, net.state_dict()[k]) for k,v in whole.state_dict().items())

def test_first_only_what_guesses_is_trained(place, tmp_path):
    net,made = learner(place, 'tiny')
    before = {k: v.clone() for k,v in net.state_dict().items()}
    bias = made.model.bias.detach().clone()
    fit(made, [Phase('last', 1, .01, -1)], tmp_path, seed=1)
    assert all(torch.equal(v, net.state_dict()[k]) for k,v in before.items() if 'norm' not in k) and not torch.equal(bias, made.model.bias) # normalisations are free wherever fastai trains

def test_whose_texts_are_read(place):
    data = load(recipe(place, text_unlabelled=str(place/'free.csv')))
    every = list(data.frame['text'])
    read,told = free_texts(data, np.arange(30), np.arange(30, 40))
    assert not set(read) & {every[i] for i in [*data.judged, *range(30, 40)]} and set(every[:30]) < set(read)
    assert told == dict(texts=70, file='free.csv', of_file=40, left_out=10, transductive=False)
    data.recipe = data.recipe.with_({'text.transductive': True})
    read,told = free_texts(data, np.arange(30), np.arange(30, 40))
    assert {every[i] for i in data.judged} <= set(read) and not set(every[30:40]) & set(read) and told['transductive'] and told['left_out'] == 5

def test_another_file_without_labels_is_another_dataset(place, tmp_path):
    for o in ('own.csv', 'free.csv'): (tmp_path/o).write_bytes((place/o).read_bytes())
    asked = recipe(place).with_({'data.path': 'own.csv', 'text.unlabelled': 'free.csv'})
    one = load(asked, tmp_path)
    assert '50 in free.csv' in one.found['texts without labels'] and len(free_texts(one, np.arange(30), np.arange(30, 40))[0]) == 70
    texts(20, 3)[['text']].to_csv(tmp_path/'free.csv', index=False)
    two,none = load(asked, tmp_path),load(asked.with_({'text.unlabelled': None}), tmp_path)
    assert len({one.fingerprint, two.fingerprint, none.fingerprint}) == 3 and one.sha256 == two.sha256 == none.sha256
    with pytest.raises(DataError): load(asked.with_({'text.unlabelled': 'gone.csv'}), tmp_path)

@pytest.fixture(scope='module')
def judged(place):
    "A run with a file and the judged texts, and what came of it"
    run = adapt(load(recipe(place, text_unlabelled=str(place/'free.csv'), text_transductive=True, run_seeds=2)), folder=place/'run')
    return run, evaluate(run)

def test_all_ways_are_there_with_their_ablation(judged):
    run,j = judged
    assert {'domain_adaptation', 'fine_tuning', 'source_unchanged', 'simple'} <= set(run.arms())
    arm = j.arms['domain_adaptation']
    assert set(arm['members']) == {LANGUAGE, BARE}
    gains = [np.mean([(run.predictions('domain_adaptation', s)[f'judged of {way}'].argmax(1) == y).mean() - (run.predictions(rest, s)['judged'].argmax(1) == y).mean() for s in run.seeds])
        for way,rest in ((LANGUAGE, 'fine_tuning'), (BARE, 'source_unchanged')) for y in [run.dataset.y[run.dataset.judged]]]
    a = arm['ablation']
    assert (a['without'], a['unsupervised']['without']) == ('fine_tuning', 'source_unchanged') and [a['gain'], a['unsupervised']['gain']] == pytest.approx(gains) and a['metric'] == 'accuracy'
    assert a['interval'][0] <= a['gain'] <= a['interval'][1] and a['verdict'] in ('helped', 'hurt', 'no_difference')
    assert a['read']['transductive'] and a['read']['texts'] == len(run.dataset.inner(0)[0]) + 20 + a['read']['of_file']

def test_the_report_says_it_whichever_way_it_went(judged, place):
    import jsonschema
    from pathlib import Path
    run,j = judged
    made = report(run.folder.path)
    found = made.to_dict()
    jsonschema.validate(found, json.loads((Path(tlnb.arms.__file__).parent/'report.schema.json').read_text()))
    html = made.to_html() if hasattr(made, 'to_html') else (run.folder.path/'report.html').read_text()
    assert 'Language-model adaptation:' in html and 'Transductive:' in html and 'free.csv' in html and found['arms']['domain_adaptation']['ablation'] == found['transfer']['ablation']
    for verdict,word in (('hurt', 'it hurt'), ('helped', 'it helped'), ('no_difference', 'undecided')):
        t = {**j.transfer, 'ablation': {**j.transfer['ablation'], 'gain': -.012, 'interval': [-.02, .01], 'verdict': verdict, 'metric': 'accuracy'}}
        assert f'Language-model adaptation: -1.2 points beside fine tuning (95 % interval -2.0 to +1.0): {word}' in verdict_words(t)

def test_without_the_reading_it_is_fine_tuning_to_the_last_bit(place, tmp_path, monkeypatch):
    data = load(recipe(place))
    source,folder = find_source(data.recipe, data, None),RunFolder(tmp_path/'run')
    folder.create('key')
    monkeypatch.setattr(tlnb.arms, '_read', lambda w, model, prep: (dict(seconds=0., transductive=False), []))
    for arm in ('fine_tuning', 'domain_adaptation'): train_piece(data, arm, 0, folder, source)
    a,b = (load_tensors(folder.piece(o, 0)/'predictions.safetensors') for o in ('fine_tuning', 'domain_adaptation'))
    np.testing.assert_array_equal(a['judged'], b[f'judged of {LANGUAGE}'])

def test_a_source_without_classes_reads_on_and_is_stopped_and_goes_on(place, tmp_path):
    data = load(recipe(place, 'awd_lstm'))
    source = find_source(data.recipe, data, None)
    folders = [RunFolder(tmp_path/o) for o in 'ab']
    for o in folders: o.create('key')
    whole = train_piece(data, 'domain_adaptation', 0, folders[0], source)
    assert set(whole['members']) == {LANGUAGE} and whole['epochs'] <= piece_steps(data, 'domain_adaptation') == 4 and whole['language']['guesses'] == 'the next piece'
    history = json.loads((folders[0].piece('domain_adaptation', 0)/'history.json').read_text())
    assert [o['epoch'] for o in history] == list(range(1, whole['epochs'] + 1)) and history[0]['phase'].startswith('language') and history[-1]['phase'] == 'all layers'
    assert not (folders[0].piece('domain_adaptation', 0)/'language').exists()
    stops = []
    for at in (1, 9, 17): # batches after which it is asked to stop: while it reads, later, while it learns
        asked = iter(range(1000))
        folders[1].stop_requested = lambda: next(asked) >= at
        r = train_piece(data, 'domain_adaptation', 0, folders[1], source)
        stops.append(r['status'])
    del folders[1].stop_requested
    again = train_piece(data, 'domain_adaptation', 0, folders[1], source)
    a,b = (load_tensors(o.piece('domain_adaptation', 0)/'predictions.safetensors') for o in folders)
    assert stops[0] == 'stopped' and all(np.array_equal(a[k], b[k]) for k in a) and again['epochs'] == whole['epochs']

def test_nothing_is_read_where_nobody_asks_or_nothing_can_be_guessed(place, tmp_path):
    data = load(recipe(place, 'awd_lstm', text_language_epochs=0))
    folder = RunFolder(tmp_path/'none'); folder.create('key')
    r = train_piece(data, 'domain_adaptation', 0, folder, find_source(data.recipe, data, None))
    assert r['status'] == 'skipped' and piece_steps(data, 'domain_adaptation') == 1 and piece_steps(load(Recipe.for_tabular(data='loans')), 'domain_adaptation') == 1
    data = load(recipe(place))
    source = find_source(data.recipe, data, None).fitted()
    tokenizer = {**source.prep.tokenizer, 'added_tokens': [o for o in source.prep.tokenizer['added_tokens'] if o['content'] != '[MASK]']}
    assert language_learner(source.model, replace(source.prep, tokenizer=tokenizer), data, np.arange(30), np.arange(30, 40), data.recipe) is None
