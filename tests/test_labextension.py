"The JupyterLab extension agrees with the library, and its source keeps to its rules"
import importlib.util, json, re

import pytest
import tlnb
from conftest import ROOT
from tlnb.keys import DEFAULTS, KEYS, parse
from tlnb.settings import read_ini

LAB = ROOT/'labextension'
PACKAGE = json.loads((LAB/'package.json').read_text())
SCHEMA = json.loads((LAB/'schema/plugin.json').read_text())
SOURCES = sorted([*LAB.glob('src/**/*.ts'), *LAB.glob('src/**/*.tsx')])


def test_schema_is_settings_ini():
    "One property for each line of settings.ini, with its default"
    ini = read_ini(ROOT/'settings.ini')
    assert list(SCHEMA['properties']) == list(ini) == list(DEFAULTS)
    for name, (text, _) in ini.items(): assert SCHEMA['properties'][name]['default'] == parse(KEYS[name], text), name


def test_schema_says_what_is_allowed():
    jsonschema = pytest.importorskip('jsonschema')
    check = jsonschema.Draft7Validator(SCHEMA)
    for good in ({'train.lr': 'find'}, {'train.lr': .01}, {'transfer.metric': 'r2'}, {'tabular.layers': [10]}, {}): assert check.is_valid(good), good
    for bad in ({'train.lr': 'fnd'}, {'train.lr': 11}, {'transfer.metric': 'r3'}, {'tabular.layers': 10}, {'run.seed': -1}, {'run.sed': 1}):
        assert not check.is_valid(bad), bad
    assert check.is_valid({name: o['default'] for name, o in SCHEMA['properties'].items()})


def test_generated_files_are_current():
    spec = importlib.util.spec_from_file_location('make_schema', LAB/'make_schema.py')
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    wrong = [str(path.relative_to(ROOT)) for path, text in made.files().items() if path.read_text() != text]
    assert not wrong, f'run `make sync`: {wrong}'


def test_version(): assert PACKAGE['version'] == tlnb.__version__ and PACKAGE['name'] == 'tlnb'


def test_resolutions_are_pinned():
    "Every JupyterLab package resolves to one version, so that a build next year is the build of today"
    pins = PACKAGE['resolutions']
    assert pins and all(re.fullmatch(r'\d+\.\d+\.\d+', o) for o in pins.values())
    missing = {o for o in PACKAGE['dependencies'] if o.startswith('@jupyterlab/')} - set(pins)
    assert not missing
    lock = (LAB/'yarn.lock').read_text()
    for name, version in pins.items():
        if f'"{name}@' in lock: assert f'"{name}@npm:{version}"' in lock, name


def test_lock_names_no_host(): assert not re.search(r'https?://|resolved', (LAB/'yarn.lock').read_text())


@pytest.mark.parametrize('path', SOURCES, ids=lambda o: str(o.relative_to(LAB)))
def test_source(path):
    text = path.read_text()
    for bad in (r':\s*any\b', r'\bas any\b', r'<any\b', r'\bany\[\]', r'console\.', r'@ts-(ignore|nocheck|expect-error)', r'innerHTML', r'\beval\(', r'https?://'):
        assert not re.search(bad, text), bad
    assert len(text.splitlines()) <= 340


def test_strict():
    options = json.loads((LAB/'tsconfig.json').read_text())['compilerOptions']
    assert options['strict'] and options['noUnusedLocals'] and options['noImplicitReturns']
