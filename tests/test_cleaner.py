"Cleaner: a decision is on disk before it is shown, survives restarts, can be undone, and is what `load` then does."
import os, re, sys
from pathlib import Path

import pytest

from rounds import rounds
from tlnb.choices import Choice, read_choices, write_choices
from tlnb.cleaner_panel import CleanerPanel, Decisions, cleaner_panel, place_of
from tlnb.dataset import load
from tlnb.errors import DataError, RecipeError
from tlnb.panel import static
from tlnb.recipe import Recipe
from tlnb.suspects import Suspects

WRONG = 2,9,21,30,33,44


@pytest.fixture
def folder(tmp_path): return rounds(tmp_path/'pictures', 64, WRONG, split=True)

@pytest.fixture
def recipe(folder): return Recipe.for_vision(data=str(folder))

@pytest.fixture
def dataset(recipe): return load(recipe)

@pytest.fixture(autouse=True)
def quick(monkeypatch):
    "The cleaner is tested, not what it shows: the training pictures in the wrong folder"
    def found(dataset, run=None, n=50):
        rows = [i for i in dataset.train if int(Path(dataset.ids[i]).stem) in WRONG][:n]
        other = {'round': 'square', 'square': 'round'}
        return Suspects(dataset, [dict(row=int(i), id=dataset.ids[i], label=(l := dataset.said([i])[0]), suggested=other[l], confidence=.9, score=.8, loss=None, why='left out') for i in rows],
            dataset.n_train, len(rows), 'the raw input')
    monkeypatch.setattr(sys.modules['tlnb.cleaner_panel'], 'suspects', found)

def hear(panel, do, item='', label='', n=1):
    panel.hear(dict(do=do, item=item, label=label, n=n))
    return panel.told

def files(folder): return {o: o.stat().st_mtime_ns for o in folder.rglob('*.png')}


def test_each_decision_is_on_disk_at_once(dataset, folder):
    panel,before = cleaner_panel(dataset),files(folder)
    a,b,c,d = (o['id'] for o in panel.items[:4])
    for n,(do,item,label) in enumerate([('relabel', a, panel.items[0]['suggested']), ('delete', b, ''), ('keep', c, ''), ('skip', d, '')], 1):
        told = hear(panel, do, item, label, n)
        assert told['ok'] and told['n'] == n and told['item'] == item and told['text'] == panel.status
        assert list(read_choices(folder/'choices.csv'))[-1] == item and panel.decided[-1] == [item, do, label]
        assert f'{n} of {len(panel.items)} decided' in panel.status
    assert panel.summary == 'Run load(recipe) again: 1 relabelled, 1 left out.' and not panel.pending
    assert files(folder) == before, 'no file of the user\'s is touched'

def test_applied_when_loaded_again(dataset, recipe):
    panel = cleaner_panel(dataset)
    first,second = panel.items[:2]
    hear(panel, 'relabel', first['id'], first['suggested'])
    hear(panel, 'delete', second['id'])
    again = load(recipe)
    assert again.said([again.ids.index(first['id'])]) == [first['suggested']] and second['id'] not in again.ids and again.fingerprint != dataset.fingerprint
    panel = cleaner_panel(again)
    assert panel.summary == 'This dataset has it all: 1 relabelled, 1 left out.' and [o[0] for o in panel.decided] == [first['id'], second['id']]

def test_choices_do_not_change_who_is_judged(tmp_path):
    "Otherwise what was cleaned by a model's opinion would be judged, and scores before and after be of other rows"
    home = rounds(tmp_path/'drawn', 80, WRONG)
    recipe = Recipe.for_vision(data=str(home))
    first = load(recipe)
    judged = {first.ids[i] for i in first.judged}
    ids = [first.ids[i] for i in first.train]
    other = dict(zip(first.ids, first.said(range(len(first.ids)))))
    write_choices(home/'choices.csv', {ids[0]: Choice('relabel', 'square' if other[ids[0]] == 'round' else 'round'), ids[1]: Choice('delete'), ids[2]: Choice('relabel', 'oval'), ids[3]: Choice('relabel', 'oval')})
    again = load(recipe)
    assert {again.ids[i] for i in again.judged} == judged and again.classes == ['oval', 'round', 'square'] and ids[1] not in again.ids
    write_choices(home/'choices.csv', {min(judged): Choice('delete')})
    again = load(recipe)
    assert {again.ids[i] for i in again.judged} == judged - {min(judged)}

def test_judged_rows_are_not_offered(dataset):
    judged = {dataset.ids[i] for i in dataset.judged}
    assert not judged & {o['id'] for o in cleaner_panel(dataset).items}

def test_opened_again(dataset):
    panel = cleaner_panel(dataset)
    a,b,c = (o['id'] for o in panel.items[:3])
    hear(panel, 'keep', a)
    hear(panel, 'delete', b)
    again = cleaner_panel(dataset)   # as after a restart: nothing but the file is left
    assert again.decided == panel.decided and again.summary == panel.summary and again.items[again.at]['id'] == c
    assert hear(again, 'undo')['item'] == b and [o[0] for o in again.decided] == [a]
    assert hear(again, 'undo')['item'] == a and not again.decided and again.summary == ''
    assert not hear(again, 'undo')['ok'] and 'nothing to undo' in again.status

def test_undo_goes_back_one_decision(dataset):
    panel = cleaner_panel(dataset)
    a,b = (o['id'] for o in panel.items[:2])
    for do in ('keep', 'delete'): hear(panel, do, a)
    hear(panel, 'skip', b)
    assert hear(panel, 'undo', a)['undone'] and dict((o[0], o[1]) for o in panel.decided) == {a: 'keep', b: 'skip'}
    assert hear(panel, 'undo')['item'] == b and hear(panel, 'undo')['item'] == a and not panel.decided

def test_two_panels_lose_nothing(dataset):
    one,two = cleaner_panel(dataset),cleaner_panel(dataset)
    hear(one, 'keep', one.items[0]['id'])
    hear(two, 'delete', one.items[1]['id'])
    assert len(two.decided) == 2 and len(read_choices(one.decisions.file)) == 2

def test_choices_about_other_items_stay(dataset, folder):
    write_choices(folder/'choices.csv', {'elsewhere.png': Choice('delete')})
    panel = cleaner_panel(dataset)
    hear(panel, 'keep', panel.items[0]['id'])
    assert read_choices(folder/'choices.csv')['elsewhere.png'] == Choice('delete')

def test_label_as_it_is_means_keep(dataset):
    panel = cleaner_panel(dataset)
    hear(panel, 'relabel', panel.items[0]['id'], panel.items[0]['label'])
    assert panel.decided == [[panel.items[0]['id'], 'keep', '']]

def test_a_relabelled_item_that_is_kept_stays_relabelled(dataset, recipe, folder):
    item = cleaner_panel(dataset).items[0]
    write_choices(folder/'choices.csv', {item['id']: Choice('relabel', item['suggested'])})
    panel = cleaner_panel(load(recipe))
    hear(panel, 'keep', item['id'])
    assert read_choices(folder/'choices.csv') == {item['id']: Choice('relabel', item['suggested'])}
    hear(panel, 'undo', item['id'])
    hear(panel, 'undo', item['id'])
    assert '1 as it was before' in panel.summary and load(recipe).fingerprint == dataset.fingerprint


# ---- what cannot be done is said in a line, and changes nothing
@pytest.mark.parametrize('message,why', [(dict(do='relabel', label='triangle'), 'no such label'), (dict(do='delete', item='nowhere.png'), 'no such item'), (dict(do='undo'), 'nothing to undo')])
def test_refused(dataset, folder, message, why):
    panel = cleaner_panel(dataset)
    panel.hear(dict(item=panel.items[0]['id'] if message['do'] != 'undo' else '', n=5) | message)
    assert panel.told['ok'] is False and why in panel.status and '\n' not in panel.status and not panel.decided and not (folder/'choices.csv').exists()

def test_disk_refuses(dataset, folder):
    panel = cleaner_panel(dataset)
    (folder/'choices.csv').mkdir()
    told = hear(panel, 'keep', panel.items[0]['id'])
    assert not told['ok'] and panel.status.startswith('Not written:') and not panel.decided

def test_file_broken_by_hand(dataset, folder):
    panel = cleaner_panel(dataset)
    (folder/'choices.csv').write_text('file,choice,label\na.png,perhaps,\n')
    assert not hear(panel, 'keep', panel.items[0]['id'])['ok'] and 'perhaps' in panel.status and 'perhaps' in (folder/'choices.csv').read_text()
    with pytest.raises(RecipeError, match='no such choice'): cleaner_panel(dataset)


# ---- what is shown
def test_pictures_come_when_they_are_needed(dataset):
    panel = cleaner_panel(dataset)
    assert all(o['small'].startswith('data:image/') and not o['cells'] for o in panel.items) and set(panel.views) == {'0', '1', '2'}
    panel.at = 3
    assert set(panel.views) <= {'2', '3', '4', '5'} and '3' in panel.views

def test_nothing_suspicious(dataset, monkeypatch):
    panel = CleanerPanel(Suspects(dataset, [], dataset.n_train, 0, 'features of parts'))
    assert panel.items == [] and 'Nothing suspicious' in panel.nothing and 'Nothing suspicious' in static(panel)

def test_without_a_kernel(dataset):
    panel = cleaner_panel(dataset)
    data = panel._repr_mimebundle_()[0]
    assert all(o['id'] in data['text/html'] for o in panel.items) and '<button' not in data['text/html'] and 'html' not in panel.get_state()

def test_texts(tmp_path):
    "The same panel, file and reading: a text that was given another label on purpose is offered, relabelled, and read so; who is judged stays"
    from tlnb.text.tickets import line_b
    f = line_b(120, seed=3).drop(columns='split', errors='ignore')
    f.loc[0, 'text'] = 'Where is my order, please? '*400
    f.to_csv(tmp_path/'desk.csv', index=False)
    recipe = Recipe.for_text(data=str(tmp_path/'desk.csv'), target='queue')
    first = load(recipe)
    train, judged = [first.ids[i] for i in first.train], {first.ids[i] for i in first.judged}
    rows = [dict(row=int(i), id=first.ids[i], label=(l := first.said([i])[0]), suggested=next(c for c in first.classes if c != l), confidence=.9, score=.8, loss=None, why='left out') for i in first.train]
    panel = CleanerPanel(Suspects(first, rows, first.n_train, len(rows), 'the raw input'))
    assert panel.items[0]['small'] is None and all(k == 'text' and 0 < len(v) < 4100 for o in panel.items for k, v in o['cells'])
    a, b = panel.items[:2]
    hear(panel, 'relabel', a['id'], a['suggested']); hear(panel, 'delete', b['id'])
    assert (tmp_path/'desk.choices.csv').is_file() and not panel.pending and a['id'].startswith('row ')
    again = load(recipe)
    assert again.said([again.ids.index(a['id'])]) == [a['suggested']] and b['id'] not in again.ids and again.fingerprint != first.fingerprint
    assert {again.ids[i] for i in again.judged} == judged and again.found['choices'] == '1 relabelled, 1 left out (desk.choices.csv)' and len(again.ids) == len(train) + len(judged) - 1

def test_tables_are_told_where_to_look():
    with pytest.raises(DataError, match='suspects'): cleaner_panel(load(Recipe.for_tabular(data='loans')))

def test_choices_elsewhere(tmp_path, monkeypatch, folder):
    "Embedded data, or a folder that is closed: a file in the working folder, which the recipe cell is to name"
    monkeypatch.chdir(tmp_path)
    assert place_of(Recipe.for_vision(data='digits').resolve()) == (Path('digits.choices.csv'), 'digits.choices.csv')
    assert place_of(Recipe.for_vision(data=str(folder), data_choices='mine.csv').resolve()) == (folder/'mine.csv', '')
    real = os.access
    monkeypatch.setattr(os, 'access', lambda p, how: Path(p) != folder and real(p, how))
    recipe = Recipe.for_vision(data=str(folder))
    panel = cleaner_panel(load(recipe))
    assert not panel.pending
    item = panel.items[0]
    hear(panel, 'relabel', item['id'], item['suggested'])
    assert panel.pending == {'data.choices': 'pictures.choices.csv'} and 'data_choices="pictures.choices.csv"' in panel.call and (tmp_path/'pictures.choices.csv').is_file()
    assert panel.summary.startswith('Write data.choices to the recipe cell')
    panel.written,panel.pending = {'data.choices': 'pictures.choices.csv'},{}
    hear(panel, 'skip', panel.items[1]['id'])
    assert not panel.pending, 'what is written is not proposed again'
    again = load(Recipe.from_cell(panel.call))
    assert again.said([again.ids.index(item['id'])]) == [item['suggested']]

def test_script_is_one_module():
    code = CleanerPanel._esm
    assert code.count('export default') == 1 and len(re.findall(r'^function render\(', code, re.M)) == 1 and 'innerHTML' not in code.split('class Cleaner')[1]

def test_names_are_public():
    import tlnb
    assert tlnb.cleaner_panel is cleaner_panel and callable(tlnb.suspects)
