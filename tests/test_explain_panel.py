"Panel of single items: asked once, set up once, written as a cell that runs, answered in one line where it cannot be."
import asyncio, io, json, os, sys, threading, time
from types import SimpleNamespace as NS

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from test_explain import corners, fingerprint, generators, make, number, three, trained # noqa: F401
from test_panels import harmless
from tlnb.explain import Explainer, explain
from tlnb.explain_panel import explain_panel
from tlnb.panel import static
from tlnb.store import RunFolder

module,engine = sys.modules['tlnb.explain_panel'],sys.modules['tlnb.explain']


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch): monkeypatch.chdir(tmp_path)

def full(ns):
    "A run of `make` with what a data set of the library has besides"
    from tlnb.dataset import protocol
    ns.dataset.kind = protocol('modality', ns.dataset.modality)
    return ns

def hear(panel, do, **more):
    panel.hear(dict(do=do, n=1, **more))
    return panel.told['error']

def ran(panel, **names):
    "What the cell gives that would be written"
    got = []
    exec(panel.call.replace('\nexplain(', '\ngot(explain(') + ')', dict(got=got.append, run=panel.run, **names))
    return got[0].to_dict()

def shares(info): return {t['feature']: t['value'] for t in info['items'][0]['top']}


# ---- asked once, set up once
def test_what_explain_found_is_not_asked_again(trained, monkeypatch):
    found = explain(trained).to_dict()
    monkeypatch.setattr(Explainer, '__call__', lambda *a, **k: pytest.fail('asked again'))
    panel = explain_panel(trained)
    assert panel.at == found['items'][0]['id'] and found['items'][0]['id'] in panel.html and '<svg' in panel.html and panel.items[0]['why'] == 'worst loss'
    for i in found['items']: assert not hear(panel, 'show', item=i['id']) and panel.at == i['id']

def test_a_second_item_sets_nothing_up_and_the_learner_is_left_as_it_was(trained, monkeypatch):
    made = []
    subject = engine.Subject
    monkeypatch.setattr(engine, 'Subject', lambda *a, **k: made.append(0) or subject(*a, **k))
    learner,before = trained.learner,generators()
    state,was = fingerprint(learner),trained.folder.read_json('explanation.json')
    panel = explain_panel(trained)
    for item in [o['id'] for o in panel.items[-4:]]: assert not hear(panel, 'show', item=item)
    assert not hear(panel, 'again', options=dict(method='lime', classes='=no')) and 'LIME' in panel.html
    assert len(made) == 1 and fingerprint(learner) == state and generators() == before and trained.folder.read_json('explanation.json') == was
    os.utime(trained.piece(*trained.best)/'model.safetensors')
    panel.kept.clear()
    assert not hear(panel, 'show', item=panel.items[0]['id']) and len(made) == 2, 'a model that was trained since is copied anew'

def test_the_answers_that_are_kept_are_bounded(trained, monkeypatch):
    monkeypatch.setattr(module, 'KEPT', 3)
    asked,call = [],Explainer.__call__
    monkeypatch.setattr(Explainer, '__call__', lambda self, items, **k: asked.append(items) or call(self, items, **k))
    panels = [explain_panel(trained) for _ in range(4)]
    ids = [o['id'] for o in panels[0].items[8:13]]
    for o in ids: hear(panels[0], 'show', item=o)
    n = len(asked)
    hear(panels[0], 'show', item=ids[-2])
    assert len(asked) == n and len(panels[0].kept) == len(panels[0].bodies) == 3
    hear(panels[0], 'show', item=ids[0])
    assert len(asked) == n + 1
    for p in panels[1:]: hear(p, 'show', item=ids[1])
    assert sum(p.ask._subject is not None for p in panels) == module.COPIES

def test_other_classes_and_numbers(make):
    panel = explain_panel(full(make(three, ('a', 'b', 'c'))))
    assert panel.usual == 'the likeliest' and not hear(panel, 'again', options=dict(classes='#2')) and ran(panel)['items'][0]['classes'][1]['class'] in 'abc'
    assert not hear(panel, 'again', options=dict(classes='=b')) and ran(panel)['items'][0]['explained'] == 'b' and 'class' in panel.call
    assert not hear(panel, 'own', cells=panel.cells | dict(income='1')) and 'moves by' in panel.html
    panel = explain_panel(full(make(number, ())))
    assert panel.classes == [] and panel.items[0]['right'] is None and not hear(panel, 'own', cells=panel.cells | dict(debt='0.1')) and 'before' in panel.status


# ---- what if, and what is written
def test_what_if_stands_beside_and_the_cell_says_the_same(trained):
    panel = explain_panel(trained)
    before = panel.at
    assert not hear(panel, 'own', cells=panel.cells | dict(income='3.5', city='', since='2021-01-02'))
    assert [c for c,*_ in panel.now.changes] == ['income', 'city', 'since'] and panel.at == before and panel.html.count('changed') > 1
    own,shown = list(panel.kept.values())[-1],ran(panel)
    assert shares(own) == pytest.approx(shares(shown), abs=1e-9) and own['items'][0]['output'] == pytest.approx(shown['items'][0]['output'])
    assert next(t['data'] for t in shown['items'][0]['top'] if t['feature'] == 'city') == '(missing)'
    assert not hear(panel, 'own', cells=panel.cells) and panel.now.item == before and panel.call == f'from tlnb import explain\n\nexplain(run, items=["{before}"])', 'nothing changed is the item itself'
    assert ran(panel)['items'][0]['id'] == before

def test_cells_that_were_not_touched_stay_digit_by_digit(trained):
    panel = explain_panel(trained)
    hear(panel, 'own', cells=panel.cells | dict(debt='1'))
    i = trained.dataset.ids.index(panel.at)
    assert panel.now.row['income'] == trained.dataset.frame.income.iloc[i] and isinstance(panel.now.row['income'], float)

def test_values_that_no_training_row_has_are_told(trained):
    panel = explain_panel(trained)
    hear(panel, 'own', cells=panel.cells | dict(income='99', city='Atlantis'))
    assert 'income = 99 lies outside' in panel.html and 'Atlantis' in panel.html and 'in no training row' in panel.html

def test_the_report_keeps_its_items(make):
    run = make()
    explain(run, items=[3])
    explain(run, items=[4])
    assert run.folder.read_json('explanation.json')['items'][0]['id'] == 'row 6'
    chosen = explain(run).to_dict()
    explain(run, items=[5])
    explain(run, items=table_row(run))
    assert run.folder.read_json('explanation.json')['items'] == json.loads(json.dumps(chosen['items']))

def table_row(run): return run.dataset.frame.iloc[[7]]


# ---- one line for what cannot be
@pytest.mark.parametrize('ask, said', [(dict(do='show', item='row 999999'), 'no such item'), (dict(do='show', item=''), 'no such item'), (dict(do='show'), 'no such item'), (dict(do='sudo'), 'no such question'), (dict(do=['show']), 'no such question'),
    (dict(do='own'), 'no row came'), (dict(do='own', cells=[1]), 'no row came'), (dict(do='own', change=dict(income='a lot')), 'not a number'), (dict(do='own', change=dict(income='inf')), 'not a number'),
    (dict(do='again', options=dict(classes='=maybe')), 'no such class'), (dict(do='again', options=dict(method='magic')), 'no such method'), (dict(do='again', options=dict(seconds='-1')), 'not a time'), (dict(do='again', options=dict(seconds='nan')), 'not a time')])
def test_what_cannot_be_is_one_line_and_changes_nothing(trained, ask, said):
    panel = explain_panel(trained)
    html,change = panel.html,ask.get('change')
    panel.hear({**ask, 'n': 7, **({'cells': panel.cells | change} if change else {})})
    assert said in panel.told['error'] and '\n' not in panel.told['error'] and panel.told['n'] == 7 and panel.html == html

def test_hostile_names_stay_text(make):
    from test_explain import table, two
    bad = '<img src=x onerror=alert(1)>"\'</style>'
    frame = table().assign(city=bad)
    panel = explain_panel(full(make(lambda f: two(f.assign(city='Bern')), (bad, 'yes'), frame)))
    hear(panel, 'own', cells=panel.cells | {'city': '<script>alert(2)</script>'})
    assert harmless(panel.html) and harmless(static(panel)) and '<button' not in static(panel)
    hear(panel, 'own', cells=panel.cells | {'income': '1'})
    assert ran(panel)['items'][0]['output'] > 0

def test_a_saved_notebook_has_it(trained):
    data,_ = explain_panel(trained)._repr_mimebundle_()
    assert '<svg' in data['text/html'] and 'Most:' in data['text/plain'] and '<script' not in data['text/html']


# ---- pictures
def picture(kind='PNG', size=(40, 40)):
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (*size, 3)).astype('uint8')).save(out, kind)
    return out.getvalue()

def test_a_picture_of_ones_own(corners, tmp_path):
    panel = explain_panel(full(corners))
    assert panel.form == 'picture' and panel.items[0]['small'].startswith('data:image/') and panel.html.count('<image') >= 2
    panel.hear(dict(do='own', name='my photo.jpg', n=1), [memoryview(picture('JPEG'))])
    assert not panel.told['error'] and 'my photo.jpg' in panel.html and '/given/' in panel.call
    kept, = (corners.folder.path/'given').iterdir()
    assert kept.suffix == '.jpg' and kept.read_bytes() == picture('JPEG') and shares(ran(panel)) == pytest.approx(shares(list(panel.kept.values())[-1]), abs=1e-6)

@pytest.mark.parametrize('data, said', [(b'', 'not a picture'), (b'hello', 'not a picture'), (b'<svg xmlns="x"/>', 'not a picture'), (picture()[:60], 'broken'), (b'\x89PNG' + b'0'*99, 'broken'), (b'0'*(module.LARGEST + 1), 'too large')])
def test_what_is_no_picture_is_one_line(corners, data, said):
    panel = explain_panel(full(corners))
    panel.hear(dict(do='own', name='../../x\n.png', n=1), [data])
    assert said in panel.told['error'] and '\n' not in panel.told['error'] and not list(corners.folder.path.glob('../x*'))

def test_a_picture_that_would_fill_the_memory(corners):
    import struct, zlib
    chunk = lambda kind, data: struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    bomb = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 60_000, 60_000, 8, 2, 0, 0, 0)) + chunk(b'IDAT', zlib.compress(b'0'*999)) + chunk(b'IEND', b'')
    panel = explain_panel(full(corners))
    panel.hear(dict(do='own', name='bomb.png', n=1), [bomb])
    assert 'too large' in panel.told['error']


# ---- texts
@pytest.fixture(scope='module')
def letters(tmp_path_factory):
    "Texts and a small network that has learned nothing"
    import torch
    from tlnb.source import Fitted
    from tlnb.text.net import build
    from tlnb.text.prep import TextPrep, learned
    texts = [f'the {a} is {b} now' for a in ('charger', 'wheel', 'belt', 'saddle') for b in ('dead', 'fine', 'lost', '<b>loose</b>')]
    prep = TextPrep(learned(texts*3, 90), 20, 0, 'mean')
    torch.manual_seed(0)
    fitted = Fitted('text', 'classification', ['bad', 'good', 'gone'], prep, build(dict(library='tlnb', name='tiny', vocab=prep.vocabulary, length=20, n_out=3)).eval())
    frame = pd.DataFrame(dict(text=texts))
    ds = NS(modality='text', frame=frame, y=np.arange(16) % 3, classes=['bad', 'good', 'gone'], ids=[f'row {i+2}' for i in range(16)], train=np.arange(8, 16), judged=np.arange(8))
    recipe = NS(run=NS(seed=0, device='cpu'), explain=NS(items=2, background=5, evaluations=40, residual_limit=.02))
    return full(NS(dataset=ds, recipe=recipe, folder=RunFolder(tmp_path_factory.mktemp('letters')), best=('fine_tuning', 0), fitted=lambda arm, seed: fitted, predictions=lambda arm, seed: dict(judged=fitted.score(frame[:8]))))

def test_a_text_of_ones_own(letters):
    panel = explain_panel(letters)
    assert panel.form == 'text' and '<mark' in panel.html and harmless(panel.html) and len(panel.html) < 50_000 and panel.items[0]['text'] == letters.dataset.frame.text[letters.dataset.ids.index(panel.at)]
    at,text = panel.at,panel.cells['text']
    assert not hear(panel, 'own', cells=dict(text=text + ' indeed')) and panel.now.base == at and panel.html.count('line-height:1.9') == 2, 'a text that was changed stands beside what it was'
    assert not hear(panel, 'own', cells=dict(text='<script>I</script> paid\ntwice "yesterday"')) and not panel.now.base and harmless(panel.html)
    assert shares(ran(panel)) == pytest.approx(shares(list(panel.kept.values())[-1]), abs=1e-9) and ran(panel)['items'][0]['look']['text']
    assert 'there is no text' in hear(panel, 'own', cells=dict(text=' \n')) and 'too long' in hear(panel, 'own', cells=dict(text='a '*60_000))
    assert not hear(panel, 'own', cells=dict(text='zebra '*200)) and 'which the model does not read' in panel.html

def test_texts_are_marked_in_the_report(letters):
    from tlnb.sections import explanation_section
    html = explanation_section(dict(explanation=explain(letters).to_dict()))
    assert '<mark' in html and '<svg' in html and harmless(html)


# ---- stopped, and in turn
@pytest.fixture
def slow(corners, monkeypatch):
    "A panel as in a kernel, whose first item is there; each batch takes a while"
    panel = explain_panel(full(corners))
    monkeypatch.setattr(module.TURNS, 'shell', 'a kernel')
    score = panel.ask.subject().scorer
    monkeypatch.setattr(type(score), '_scores', (lambda f: lambda self, x: time.sleep(.12) or f(self, x))(type(score)._scores))
    panel.kept.clear(); panel.bodies.clear()
    return panel

async def until(done, seconds=20):
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        await asyncio.sleep(.02)

def test_stop_keeps_what_is_known_and_says_so(slow):
    async def play():
        hear(slow, 'show', item='p2', options=dict(seconds='60'))
        await until(lambda: slow.far[0] > 10)
        assert slow.progress['running'] and 'questions' in slow.progress['text'] and 0 < slow.progress['fraction'] < 1
        slow.stops += 1
        assert slow.progress['stopping']
        await until(lambda: slow.thread is None)
    asyncio.run(play())
    info, = slow.kept.values()
    assert info['ended'] == 'stopped' and 'ended early: stopped' in slow.html and not slow.progress['running'] and 'Ended early' in slow.status and slow.at == 'p2'
    async def again():
        hear(slow, 'show', item='p2', options=dict(seconds='60'))
        await until(lambda: slow.thread is None)
    asyncio.run(again())
    assert 'ended early' not in slow.html and not next(iter(slow.kept.values()))['ended'], 'chosen again it is made as a whole'

def test_the_clock_ends_it_too(slow):
    async def play():
        hear(slow, 'show', item='p2', options=dict(seconds='1'))
        await until(lambda: slow.thread is None)
    asyncio.run(play())
    assert 's were over' in slow.html or 's were over' in slow.told['error']

def test_the_last_wish_counts(slow):
    async def play():
        for o in ('p1', 'p2', 'p3'): hear(slow, 'show', item=o)
        await until(lambda: slow.thread is None and slow.at == 'p3')
    asyncio.run(play())
    assert slow.told['error'] == '' and not any(k[0] == 'p2' for k in slow.kept)

def test_it_waits_for_the_cell_that_runs(slow):
    turns = module.TURNS
    async def play():
        turns.begins(); turns.begins()
        hear(slow, 'show', item='p1', options=dict(seconds='60'))
        await asyncio.sleep(.5)
        assert slow.far == (0, 0) and 'Waits' in slow.progress['text']
        turns.ends(); turns.ends()
        await until(lambda: slow.far[0] > 0)
        cell = threading.Thread(target=turns.begins, daemon=True) # a cell that is run meanwhile
        cell.start()
        cell.join(.3)
        assert cell.is_alive()
        slow.stops += 1
        await until(lambda: not cell.is_alive())
        turns.ends()
        await until(lambda: slow.thread is None)
    asyncio.run(play())
    assert not turns.lock.locked()
