"Texts from the shipped source to a package: the source, pieces, words that count, networks as ONNX and as torch's operations, a package without torch."
import json, subprocess, sys
from types import SimpleNamespace as NS

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from nbformat.v4 import new_code_cell as code, new_markdown_cell as md, new_notebook

from tlnb.adapt import adapt
from tlnb.dataset import load, protocol
from tlnb.errors import SourceError
from tlnb.evaluate import evaluate
from tlnb.explain import explain
from tlnb.export import export
from tlnb.onnx import to_onnx
from tlnb.overview import overview
from tlnb.recipe import Recipe
from tlnb.record import to_record
from tlnb.registry import SHIPPED, describe
from tlnb.replay import Replay
from tlnb.source import Fitted, load_fitted
from tlnb.text import light
from tlnb.text.net import build
from tlnb.text.pieces import pieces
from tlnb.text.prep import TextPrep, learned
from tlnb.text.ship import accuracy_on
from tlnb.text.tickets import CLASSES, line_a

pytestmark = pytest.mark.usefixtures('one_thread')

@pytest.mark.parametrize('name, most', [('tickets', 2_000_000), ('tickets_lm', 2_000_000)])
def test_shipped(name, most):
    "A source that says what it is, is small, and has the weights that its card names"
    said, folder = describe(SHIPPED/name), SHIPPED/name
    card = (folder/'README.md').read_text()
    assert said.modality == 'text' and said.origin == 'shipped' and said.licence == 'Apache-2.0' and said.limits and said.offline
    assert said.sha256 in card and sum(o.stat().st_size for o in folder.iterdir()) < most
    assert {o.name for o in folder.iterdir()} == {'README.md', 'model.json', 'model.safetensors', 'moments.safetensors'}
    model = load_fitted(folder)
    assert len(model.moments['mean']) == model.model.n_features

def test_the_source_sorts():
    "What it reaches is what its card says, on line B too"
    model = load_fitted(SHIPPED/'tickets')
    assert model.classes == CLASSES
    for line, name in (('A', 'At home'), ('B', 'Away')):
        told = float((SHIPPED/'tickets/README.md').read_text().split(f'{name}: accuracy ')[1].split()[0])
        assert abs(accuracy_on(model, line, 400) - told) < .05 and told > .6

@pytest.mark.parametrize('name, less', [('tickets', dict(epochs=(1, 1))), ('tickets_lm', dict(epochs=1))])
def test_a_source_is_trained_again_to_the_same_bytes(name, less, tmp_path, monkeypatch):
    "Of few tickets, twice"
    import tlnb.text.ship as ship
    for o in ('accuracy_on', 'perplexity_on'): monkeypatch.setattr(ship, o, lambda *args: .5)
    for k in 'ab': getattr(ship, f'ship_{name}')(tmp_path/k, tickets=80, pieces=200, **less)
    assert (tmp_path/'a/model.safetensors').read_bytes() == (tmp_path/'b/model.safetensors').read_bytes()

def test_no_ticket_is_cut_off():
    "The source reads every ticket of its own line as a whole and all but a few of line B, and knows their pieces"
    found = pieces(load(Recipe.for_text(data='tickets', source='tickets')))
    frame = found.to_frame()
    assert found.source == 'tickets' and found.truncated < .01 and list(frame.index) == [*CLASSES, 'all'] and frame.texts['all'] == 720
    assert frame.unknown['all'] < .01 and 1 < frame.per_word['all'] < 2
    assert max(map(len, load_fitted(SHIPPED/'tickets').prep.encode(line_a(500, 9)))) < 96
    assert 'pieces a word' in found._repr_html_() and '<svg' in found._repr_html_()

@pytest.fixture(scope='module')
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp('tickets')/'out'
    recipe = Recipe.for_text(data='tickets', source='tickets', strategy='feature_extraction', run_seeds=1, run_jobs=1, train_epochs=2, transfer_labels_needed=False,
        explain_items=2, explain_evaluations=120, run_cache=str(out.parent/'cache'))
    out.mkdir()
    done = adapt(load(recipe), recipe, out/'run')
    evaluate(done)
    said = '### Intended use\n\nA first guess.\n\n### Out of scope\n\nReal tickets.\n\n### Training data\n\nInvented, CC0.\n\n### Risks and limits\n\nA wrong queue.\n\n### Contact\n\nMs Keller.'
    nbformat.write(new_notebook(cells=[md('# Which queue\n\n> A test'), code('from tlnb import Recipe'), code(recipe.to_cell()), md(said)]), out/'notebook.ipynb')
    return done

def test_words_count(run):
    "The parts of the words add up, and the words that decide are those of the matter"
    ticket = 'My name is Kim. I forgot my password and cannot log in any more. It rains today.'
    info = explain(run, items=pd.DataFrame(dict(text=[ticket]))).to_dict()
    item, = info['items']
    assert info['residual_max'] < 1e-6 and not info['marked'] and item['predicted'] == 'access'
    by = {o['feature']: o['value'] for o in item['top']}
    assert list(by) and set(by) >= {'password', 'rains', 'forgot'}
    matter = sum(by[o] for o in ('forgot', 'password', 'cannot', 'log', 'in'))
    assert matter > abs(sum(by[o] for o in ('It', 'rains', 'today'))) and matter > .3
    assert info['global_rows'] >= 20 and all(len(o['interval']) == 2 and 5 <= o['n'] <= info['global_rows'] for o in info['global'])

def test_common_words_do_not_come_first(run):
    "In general a word counts for what it does where it occurs: those of the matter lead, those of every ticket follow"
    found = overview(run, rows=150, evaluations=50)
    d = found.to_frame().set_index('feature')
    assert (d.rows >= 5).all() and d.rows['the'] > 75 and (d.low <= d.mean_abs).all() and (d.mean_abs <= d.high).all()
    assert d.mean_abs['the'] < d.mean_abs.iloc[0]/2 and d.index.get_loc('the') >= 5 and found.plot() and len(found.to_frame('result'))

def test_words_count_of_any_scorer(run):
    "A model that scores raw rows only is asked about tenths of a text"
    masker = protocol('masker', 'text')
    rows = run.dataset.frame.iloc[:3].reset_index(drop=True)
    hidden = np.zeros((3, 10), bool); hidden[0, :5] = True; hidden[1] = True
    got = masker.mask(rows, masker.background(run.dataset, 5), hidden).text
    assert got[2] == rows.text[2] and got[1] == '' and len(got[0]) < .7*len(rows.text[0]) and rows.text[0].endswith(got[0])
    assert len(masker.features(run.dataset)) == 10

BERT = dict(model_type='bert', hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, max_position_embeddings=64)

@pytest.mark.parametrize('how, arch', [('onnx', dict(library='tlnb', name='tiny')), ('onnx', dict(library='transformers', name='bert', config=BERT)),
    ('torch', dict(library='tlnb', name='tiny')), ('torch', dict(library='fastai', name='awd_lstm', config=dict(emb_sz=16, n_hid=24)))], ids=lambda o: o if isinstance(o, str) else o['name'])
def test_networks_for_texts(how, arch, tmp_path):
    "As ONNX and as a list of torch's operations they answer as they do, for any number of texts of any length"
    import onnxruntime as ort
    texts = [o*k for k,o in enumerate(['the belt slips ', 'a good bike ', 'x', 'now it is dead, dead '], 1)] + ['']
    prep = TextPrep(learned(texts*3, 60), 40, 0, 'mean')
    torch.manual_seed(0)
    fitted = Fitted('text', 'classification', list('abc'), prep, build(dict(arch, vocab=prep.vocabulary, length=40, n_out=3)).train())
    made = dict(onnx=to_onnx, torch=to_record)[how](**protocol('exporter', 'text').traced(fitted))
    assert fitted.model.training
    if how == 'torch':
        for k,v in made.items(): (tmp_path/k).write_bytes(v)
    session = ort.InferenceSession(made) if how == 'onnx' else Replay(tmp_path)
    inputs = light.from_spec(protocol('exporter', 'text').spec(fitted, NS(recipe=Recipe.for_text())))
    for part in (texts, texts[:1], texts[-1:]):
        x = inputs.encode(part)['x']
        np.testing.assert_array_equal(x, prep.batch(prep.encode(dict(text=part))))
        with torch.no_grad(): right = fitted.model.eval()(torch.from_numpy(x)).numpy(), fitted.model.features(torch.from_numpy(x)).numpy()
        for a,b in zip(session.run(['scores_raw', 'features'], dict(x=x)), right): np.testing.assert_allclose(a, b, atol=1e-4)

ALONE = '''
import json, sys
class Away:
    def find_spec(self, name, *rest):
        if name.split('.')[0] in ('torch', 'fastai', 'transformers', 'tlnb', 'pandas'): raise ImportError(name)
sys.meta_path.insert(0, Away()); sys.path.insert(0, sys.argv[1])
import which_queue as m
print(json.dumps([m.predict(sys.argv[2])['label'], [o['label'] for o in m.predict(sys.argv[3])], m.check(['zzz \\u03a9'*30]*60)['word'], m.predict_proba(json.loads(sys.argv[4])).tolist()]))
'''

def test_a_package_without_torch(run, tmp_path):
    "It answers as the learner does on all judged rows, reads a file, and says when texts are of another kind"
    done = export(run.folder.path.parent, name='which-queue', to=tmp_path/'p')
    assert done.parity['n'] == 600 and done.parity['label_agreement'] == 1 and done.parity['max_difference'] < 1e-5 and not done.extra
    (tmp_path/'two.csv').write_text('text,from\n"I forgot my password, I cannot log in",x\n<b>Where is my refund?</b>,y\n')
    texts = run.dataset.frame.text.iloc[run.dataset.judged[:5]].tolist()
    out = subprocess.run([sys.executable, '-c', ALONE, str(tmp_path/'p'), 'I forgot my password', str(tmp_path/'two.csv'), json.dumps(texts)], capture_output=True, text=True)
    assert not out.returncode, out.stderr
    one, two, word, p = json.loads(out.stdout)
    assert one == 'access' and two == ['access', 'billing'] and word == 'changed'
    np.testing.assert_allclose(p, run.fitted().score(pd.DataFrame(dict(text=texts))), atol=1e-5)
