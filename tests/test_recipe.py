"A recipe is the same recipe as TOML, as a cell, as a dictionary and in another process; what is wrong is said in one line"
import inspect, json, pickle
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tlnb.errors import RecipeError, StoreError
from tlnb.keys import KEYS, MODALITIES, SECTIONS, keys
from tlnb.recipe import Recipe, arguments
from tlnb.settings import defaults_file, read_ini

ODD = ['', ' ', '"', "'", '"""', "'''", '\\', '\\n', '\n', '\r\n', '\t', '#', 'a,b', '[x]', 'é', '漢字', '🎓🏽', '\u2028', '\x7f',
       '\x85', '\ufeff', '\x1b', '\u200b', 'C:\\new\\table.csv', 'True', '{x}', '%s', "it's \"so\"", '\ud7ff', '\U0010ffff']

def values_of(k):
    "Values that this key may hold"
    words = st.sampled_from(k.words) if k.words else st.nothing()
    if k.item is str and k.words: one = words
    elif k.item is str:
        one = st.text(st.characters(exclude_categories=['Cs'], exclude_characters='\0')) | st.sampled_from(ODD)
        if k.name not in DEFAULTS: one = one.filter(bool)
    elif k.item is bool: one = st.booleans()
    elif k.item is int: one = st.integers(k.lo, k.hi) | words
    else: one = st.floats(k.lo, k.hi, allow_nan=False, allow_infinity=False) | words
    return st.lists(one, max_size=60) if k.many else one

DEFAULTS = read_ini(defaults_file())

@st.composite
def recipes(draw):
    modality = draw(st.sampled_from(MODALITIES))
    chosen = draw(st.lists(st.sampled_from(sorted(keys(modality))), unique=True, max_size=12))
    return Recipe.of(modality, {name: draw(values_of(KEYS[name])) for name in chosen})

def same(a, b):
    assert a == b and a.values() == b.values() and a.modality == b.modality
    assert json.dumps(a.to_dict()) == json.dumps(b.to_dict()) # 1, 1.0 and True are told apart

def wrong(call, *parts):
    "The one line with which `call` refuses; it holds all `parts`"
    with pytest.raises(RecipeError) as e: call()
    line = str(e.value)
    assert len(line.splitlines()) == 1, line
    for part in parts: assert part in line, (part, line)
    return line


@settings(max_examples=300, deadline=None)
@given(recipes())
def test_round_trips(recipe):
    same(Recipe.from_toml(recipe.to_toml()), recipe)
    same(Recipe.from_cell(recipe.to_cell()), recipe)
    same(Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))), recipe)
    same(pickle.loads(pickle.dumps(recipe)), recipe)
    same(Recipe.of(recipe.modality, recipe.values()), recipe)
    names = {}
    exec(recipe.to_cell(), {'Recipe': Recipe}, names) # as the notebook does
    same(names['recipe'], recipe)
    assert recipe.to_toml() == Recipe.from_toml(recipe.to_toml()).to_toml()

@pytest.mark.parametrize('name', KEYS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_key(name, data):
    k = KEYS[name]
    modality = k.only or data.draw(st.sampled_from(MODALITIES))
    value = data.draw(values_of(k))
    recipe = Recipe.of(modality, {name: value})
    assert recipe[name] == value and type(recipe[name]) is type(value)
    same(Recipe.from_toml(recipe.to_toml()), recipe)
    same(Recipe.from_cell(recipe.to_cell()), recipe)
    if not k.many: assert Recipe.parse(name, str(value)) == value
    elif k.item is int or k.words: assert Recipe.parse(name, ', '.join(map(str, value))) == value

@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(recipe=recipes())
def test_file_and_resolved(tmp_path, recipe):
    same(Recipe.read(recipe.write(tmp_path/'recipe.toml')), recipe)
    full = recipe.resolve(tmp_path)
    assert set(full.origins) == set(keys(full.modality))
    assert {name for name, o in full.origins.items() if o == 'cell'} == set(recipe.values())
    assert {name for name, o in full.origins.items() if o == 'not set'} == {name for name in keys(full.modality) if full[name] is None}
    same(Recipe.read(full.write(tmp_path/'full.toml')), full)
    again = full.resolve(tmp_path)
    same(again, full)
    assert again.origins == full.origins

@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(KEYS)), st.text(max_size=20) | st.sampled_from(ODD))
def test_parse_reads_or_refuses(name, text):
    "Whatever is written behind --set is a value of this key, or is refused in one line"
    try: value = Recipe.parse(name, text)
    except RecipeError as e: assert len(str(e).splitlines()) == 1
    else: assert Recipe.of(KEYS[name].only or 'text', {name: value})[name] == value

def test_lists_as_text():
    for text in ('a b,"c, d"', ' a b , "c, d",, ', 'a b\n"c, d"'): assert Recipe.parse('data.columns', text) == ['a b', 'c, d']
    assert Recipe.parse('tabular.layers', '64') == [64] and Recipe.parse('data.columns', ' ') == []

def test_precedence(tmp_path, monkeypatch):
    (tmp_path/'deep').mkdir()
    (tmp_path/'tlnb.ini').write_text('[train]\nepochs = 7\npatience = 3\ndropout = 0.2\n[data]\ndrop = a, "b, c"\n', encoding='utf-8')
    monkeypatch.setenv('TLNB_TRAIN_PATIENCE', '4')
    monkeypatch.setenv('TLNB_TRAIN_DROPOUT', '0.3')
    r = Recipe.for_tabular(train_dropout=0.4).resolve(tmp_path/'deep')
    assert (r.train.epochs, r.train.patience, r.train.dropout, r.run.seeds, r.data.drop) == (7, 4, 0.4, 3, ['a', 'b, c'])
    ini = f'tlnb.ini ({(tmp_path/"tlnb.ini").resolve()})'
    found = [r.origins[f'train.{o}'] for o in ('epochs', 'patience', 'dropout')]
    assert found == [ini, 'environment TLNB_TRAIN_PATIENCE', 'cell']
    assert r.origins['run.seeds'] == 'default' and r.origins['data.target'] == 'not set'
    changed = r.with_({'train.epochs': 3, 'train.patience': None})
    assert changed.origins['run.seeds'] == 'default' and 'train.epochs' not in changed.origins and changed.train.patience is None
    assert changed.resolve(tmp_path).origins['train.epochs'] == 'cell'
    monkeypatch.setenv('TLNB_TRAIN_PATIENCE', 'soon')
    wrong(lambda: Recipe.for_tabular().resolve(tmp_path), 'train.patience', "'soon'", 'TLNB_TRAIN_PATIENCE', 'whole number')

def test_types_when_resolved(tmp_path):
    full = Recipe.for_tabular(train_lr='find', transfer_target_value=1).resolve(tmp_path)
    assert (full.train.lr, full.transfer.target_value, full.run.cache) == ('find', 1.0, '')
    assert (full.data.columns, full.tabular.layers) == ([], [128, 64])
    for name, k in keys('tabular').items():
        if full[name] is None or full[name] in k.words: continue
        assert all(type(o) is k.item for o in full[name]) if k.many else type(full[name]) is k.type, name
    parts = [full.part(o) for o in ('training', 'judgement', 'place')]
    assert sorted(o for part in parts for o in part) == sorted(keys('tabular'))

def test_one_form():
    r = Recipe.for_tabular(data=Path('a')/'b.csv', sensitive='sex', train_lr=1)
    assert r.data.path == str(Path('a')/'b.csv') and r.data.sensitive == ['sex'] and type(r.train.lr) is float
    given = ['sex']
    r = Recipe.for_tabular(sensitive=given)
    given.append('age')
    assert r.data.sensitive == ['sex'] and r == Recipe.for_tabular(sensitive=('sex',))
    assert Recipe.for_tabular(seed=None) == Recipe.for_tabular() != Recipe.for_vision()
    with pytest.raises(FrozenInstanceError): r.modality = 'text'
    with pytest.raises(FrozenInstanceError): r.train.epochs = 3

@pytest.mark.parametrize('name, value, allowed', [
    ('train.epochs', 0, 'from 1 to 10000'), ('train.epochs', 2.5, 'whole number'), ('train.epochs', True, 'whole number'),
    ('train.epochs', '9', 'whole number'), ('train.epochs', 10**400, 'whole number'), ('train.lr', 'fast', 'find'),
    ('train.lr', float('nan'), 'number'),
    ('train.lr', float('inf'), 'number'),
    ('transfer.min_gain', -.1, 'at least 0'), ('transfer.strategy', 'fine-tuning', "did you mean 'fine_tuning'?"),
    ('transfer.strategy', '', 'auto, '),
    ('transfer.baselines', ['simpel'], 'majority, simple, from_scratch'), ('transfer.gate', 1, 'true or false'),
    ('transfer.gate', 'true', 'true or false'),
    ('data.path', '', 'text'), ('data.path', 'a\0b', 'text'), ('data.path', '\ud800', 'text'), ('data.path', b'x', 'text'),
    ('data.sensitive', [''], 'list of text'),
    ('data.sensitive', {'sex'}, 'list of text'), ('data.sensitive', 3, 'list of text'), ('data.columns', [1], 'list of text'),
    ('data.judged', .6, 'from 0.05 to 0.5'),
    ('tabular.layers', [64, 0], 'list of whole number from 1'), ('run.seed', -1, 'from 0'), ('transfer.curve', ['many'], 'whole number'),
])
def test_bad_values(name, value, allowed):
    wrong(lambda: Recipe.for_tabular().with_({name: value}), 'bad value', f'{name} = ', repr(value)[:20], allowed)
    section, short = name.split('.')
    wrong(lambda: SECTIONS[section](**{short: value}), allowed) # there is no way around the check

@pytest.mark.parametrize('k', KEYS.values(), ids=KEYS)
def test_every_key_refuses(k):
    for value in (object(), {'a': 1}, [[1]], 1j): wrong(lambda: Recipe.of(k.only or 'text', {k.name: value}), k.name, k.allowed)
    wrong(lambda: Recipe.of(k.only or 'text', {k.name: 'x'*9999+'\0'}), k.name, '...')
    if k.item is not str: wrong(lambda: Recipe.parse(k.name, 'perhaps'), k.name, "'perhaps'", k.allowed)

@pytest.mark.parametrize('call, parts', [
    (lambda: Recipe.for_tabular(targt='x'), ['targt', "did you mean 'target'?"]),
    (lambda: Recipe.for_tabular(transfer_strategy='auto'), ['transfer_strategy', "did you mean 'strategy'?"]),
    (lambda: Recipe.for_tabular(data_path='x'), ['data_path', "did you mean 'data'?"]),
    (lambda: Recipe.for_tabular(text='x'), ['text in Recipe.for_tabular']),
    (lambda: Recipe.for_vision(tabular_layers=[3]), ['tabular_layers in Recipe.for_vision']),
    (lambda: Recipe.for_tabular().with_({'train.epoch': 3}), ['train.epoch in a tabular recipe', "did you mean 'train.epochs'?"]),
    (lambda: Recipe.for_tabular()['train.epoch'], ["did you mean 'train.epochs'?"]),
    (lambda: Recipe.parse('strategy', 'auto'), ["did you mean 'transfer.strategy'?"]),
    (lambda: Recipe.parse('', ''), ['unknown key', 'nearest of', '; all settings are in ']),
    (lambda: Recipe.for_tabular(zzzz=3), ['zzzz in Recipe.for_tabular', 'nearest of', '; all settings are in ']),
    (lambda: Recipe.of('tabluar', {}), ["'tabluar'", "did you mean 'tabular'?"]),
    (lambda: Recipe.from_toml('[data'), ['recipe is not TOML', 'end of document']),
    (lambda: Recipe.from_toml('[data]\npath = "x"'), ['no modality', 'tabular, vision, text']),
    (lambda: Recipe.from_toml('modality = 3'), ['unknown modality: 3']),
    (lambda: Recipe.from_toml('modality = "text"\nepochs = 3'), ['unknown key: epochs']),
    (lambda: Recipe.from_toml('modality = "text"\n[trane]\nepochs = 3'), ['trane.epochs', "did you mean 'train.epochs'?"]),
    (lambda: Recipe.from_toml('modality = "text"\n[train]\nepochs = 2026-11-21'), ['train.epochs', 'whole number']),
    (lambda: Recipe.from_toml('modality = "text"\n[train.epochs]\nx = 1'), ['train.epochs', 'whole number']),
    (lambda: Recipe.from_cell('recipe = Recipe.for_audio()'), ['Recipe.for_audio', 'known: tabular, vision, text']),
    (lambda: Recipe.from_cell('recipe = Recipe.for_tabular(data=here/"x.csv")'), ['data=here/"x.csv"', 'literal']),
])
def test_unknown(call, parts): wrong(call, *parts)

def test_files_that_are_no_recipe(tmp_path):
    (tmp_path/'latin.toml').write_bytes('modality = "tabular" # é'.encode('latin-1'))
    (tmp_path/'bad.toml').write_text('modality = "tabular"\n[train]\nepochs = 0\n')
    wrong(lambda: Recipe.read(tmp_path/'none.toml'), f"no such file: {tmp_path/'none.toml'}; ")
    for name in ('latin.toml', 'bad.toml', ''): wrong(lambda: Recipe.read(tmp_path/name), str(tmp_path/name))
    with pytest.raises(StoreError): Recipe.for_tabular().write(tmp_path/'no'/'where.toml')

@pytest.mark.parametrize('modality', MODALITIES)
def test_help(modality):
    "Shift-Tab in a notebook shows every option with its meaning"
    make = getattr(Recipe, f'for_{modality}')
    parameters = inspect.signature(make).parameters
    assert list(parameters)[:2] == ['data', 'target'] and set(parameters) == set(arguments(modality))
    assert all(o.kind is o.KEYWORD_ONLY and o.default is None for o in parameters.values())
    for name, k in arguments(modality).items(): assert f'{name}: {k.help}' in inspect.getdoc(make)
    assert ('text' in parameters) == (modality == 'text') and ('tabular_layers' in parameters) == (modality == 'tabular')

def test_shown():
    recipe = Recipe.for_tabular(data='<b>.csv', target='y', seed=3)
    assert repr(recipe) == 'Recipe.for_tabular(\n    data="<b>.csv",\n    target="y",\n    seed=3,\n)'
    assert eval(repr(recipe)) == recipe and repr(Recipe.for_text()) == 'Recipe.for_text()'
    shown = recipe.resolve()._repr_html_()
    assert '&lt;b&gt;.csv' in shown and '<b>' not in shown and 'default' in shown
