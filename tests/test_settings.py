"settings.ini, the recipe's keys and their help agree"
import re

import pytest

from tlnb.errors import RecipeError
from tlnb.keys import KEYS, MODALITIES
from tlnb.recipe import Recipe
from tlnb.settings import Setting, defaults_file, read_ini, read_settings

DEFAULTS = read_ini(defaults_file())
NO_DEFAULT = {'data.path', 'data.target', 'data.text', 'data.sensitive', 'source.name', 'source.data', 'source.arch'}


def test_every_key_is_a_field_and_every_field_with_a_default_is_a_key():
    assert set(DEFAULTS) == set(KEYS) - NO_DEFAULT
    assert list(DEFAULTS) == [o for o in KEYS if o not in NO_DEFAULT] # in the same order too

@pytest.mark.parametrize('k', KEYS.values(), ids=KEYS)
def test_help_says_what_is_allowed(k):
    assert k.help and len(k.help) < 160
    for word in k.words: assert re.search(rf'\b{word}\b', k.help), word
    if k.hi is not None: assert f'{k.lo:g} to {k.hi:.10g}' in k.help, f'{k.lo:g} to {k.hi:.10g}'

def test_defaults_resolve(tmp_path):
    full = {o: Recipe.of(o, {}).resolve(tmp_path) for o in MODALITIES}
    for name, (raw, _) in DEFAULTS.items():
        recipe = full[KEYS[name].only or 'tabular']
        assert Recipe.parse(name, raw) == recipe[name] and recipe.origins[name] == 'default'

def test_the_nearest_file_counts_and_the_environment_wins(tmp_path, monkeypatch):
    deep = tmp_path/'a'/'b'
    deep.mkdir(parents=True)
    (tmp_path/'tlnb.ini').write_text('[run]\nseed = 1\nseeds = 9\n')
    text = '\ufeff# é\r\n; old style\r\n[ run ]\r\nseed=2\r\n\r\n[bias]\r\nreason = 50 % = half # agreed\r\n'
    (tmp_path/'a'/'tlnb.ini').write_bytes(text.encode())
    monkeypatch.setenv('TLNB_RUN_DEVICE', 'cpu')
    monkeypatch.setenv('TLNB_HOME', 'elsewhere') # HOME is no section of ours
    found = read_settings(deep)
    path = (tmp_path/'a'/'tlnb.ini').resolve()
    assert found['run.seed'] == Setting('run.seed', '2', f'tlnb.ini ({path})', DEFAULTS['run.seed'][1])
    assert found['bias.reason'].raw == '50 % = half # agreed'
    assert (found['run.seeds'].raw, found['run.seeds'].origin) == ('3', 'default') # the farther file does not count
    assert (found['run.device'].raw, found['run.device'].origin) == ('cpu', 'environment TLNB_RUN_DEVICE')
    assert set(found) == set(DEFAULTS)

@pytest.mark.parametrize('text, line', [
    ('[train]\nepoch = 3', "train.epoch in {path}; did you mean 'train.epochs'?"),
    ('[zz]\nzz = 3', 'nearest of '), ('[zz]\nzz = 3', f'; all settings are in {defaults_file()}'),
    ('[training]\nepochs = 3', "did you mean 'train.epochs'?"),
    ('epochs = 3', "'epochs = 3' in line 1 of {path}"), ('[train]\n\nepochs', "'epochs' in line 3 of {path}"),
    ('[train]\n= 3', 'line 2 of {path}'),
    ('[train\nepochs = 3', 'line 1 of {path}'), ('[run]\nseed = 1\nseed = 2', 'given twice: run.seed in line 3 of {path}'),
    ('[run]\nseed = \udcff', '{path}'),
    ('[data]\npath = x', 'data.path in {path}'),
])
def test_a_wrong_file_is_one_line(tmp_path, text, line):
    path = tmp_path.resolve()/'tlnb.ini'
    path.write_bytes(text.encode(errors='surrogateescape'))
    with pytest.raises(RecipeError) as e: read_settings(tmp_path)
    assert line.format(path=path) in str(e.value) and len(str(e.value).splitlines()) == 1

def test_a_wrong_variable_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv('TLNB_TRAIN_EPOCH', '3')
    line = r"train.epoch in the environment \(TLNB_TRAIN_EPOCH\); did you mean 'train.epochs'\?"
    with pytest.raises(RecipeError, match=line): read_settings(tmp_path)
