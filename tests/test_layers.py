"The floors of the house: what may import what, and what `import tlnb` costs"
import ast, json, re, subprocess, sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {'torch', 'fastai', 'pandas', 'shap', 'ipywidgets', 'numpy'}
TRAINS = {'devices', 'head', 'loaders', 'tabular.learner', 'tabular.simple', 'text.language', 'text.learner', 'text.net', 'text.pairs', 'text.simple', 'vision.net', 'vision.learner', 'vision.simple'} # below floor 2x, only these may load a training library

def floors():
    "Module -> (number of its notebook, 1 if it is in a modality's folder): among equal numbers the general one is the lower"
    found = {}
    for path in (ROOT/'tlnb').rglob('*.py'):
        if m := re.search(r'File to edit: (?:\.\./)+nbs/(.*)\.ipynb', path.read_text()):
            module = '.'.join(path.relative_to(ROOT/'tlnb').with_suffix('').parts)
            found[module] = int(m[1].split('/')[-1][:2]), m[1].count('/')
    return found

FLOORS = floors()

def imports(module, top=False):
    "Full names of what a module imports: inside functions too, or only at the top, when it is loaded"
    tree = ast.parse((ROOT/'tlnb'/f'{module.replace(".", "/")}.py').read_text())
    for o in tree.body if top else ast.walk(tree):
        if isinstance(o, ast.Import): yield from (a.name for a in o.names)
        elif isinstance(o, ast.ImportFrom): # nbdev makes absolute imports relative
            base = f'tlnb.{module}'.split('.')[:-o.level] if o.level else []
            yield from ('.'.join([*base, *filter(None, [o.module]), a.name]) for a in o.names)

def python(code):
    "What a fresh Python prints"
    return subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_there_are_floors(): assert {'errors', 'recipe', 'cell', 'settings', 'store', 'gallery', 'html'} <= set(FLOORS)

@pytest.mark.parametrize('module', FLOORS)
def test_imports_go_down(module):
    for name in imports(module):
        if name in ('tlnb', 'tlnb.__version__') or not name.startswith('tlnb.'): continue
        parts = name.split('.')[1:]
        target = next(('.'.join(parts[:n]) for n in range(len(parts), 0, -1) if '.'.join(parts[:n]) in FLOORS), None)
        assert target, f'{module} imports {name}, which is in no notebook'
        assert FLOORS[target] < FLOORS[module], f'{module} ({FLOORS[module][0]:02}) imports {target} ({FLOORS[target][0]:02})'

@pytest.mark.parametrize('module', [o for o in FLOORS if FLOORS[o][0] < 10])
def test_floor_0_is_light(module):
    "Nothing but the standard library, filelock and our own; what else a function needs it imports when it is called"
    others = {o.split('.')[0] for o in imports(module, top=True)} - sys.stdlib_module_names - {'tlnb', 'filelock'}
    assert not others

@pytest.mark.parametrize('path', sorted((ROOT/'nbs').rglob('*.ipynb')), ids=lambda o: o.stem)
def test_exported_cells_are_short(path):
    "A reader sees a cell whole: 50 lines at most"
    if '.ipynb_checkpoints' in path.parts: return
    sources = [''.join(o['source']) for o in json.loads(path.read_text())['cells'] if o['cell_type'] == 'code']
    long = {o.splitlines()[1]: n for o in sources if re.search(r'^#\|\s*export', o, re.M) and (n := len(o.splitlines())) > 50}
    assert not long

def test_import_tlnb():
    "Under 0.3 s, and nothing heavy"
    code = 'import sys, time; t = time.perf_counter(); import tlnb; print(time.perf_counter()-t); print(*sys.modules)'
    seconds, loaded = zip(*(python(code).split('\n')[:2] for _ in range(5)))
    assert not HEAVY & set(loaded[0].split())
    assert min(map(float, seconds)) < 0.3

def test_floor_0_loads_nothing_heavy():
    names = [f'tlnb.{o}' for o in FLOORS if FLOORS[o][0] < 10]
    assert not HEAVY & set(python(f'import sys, {", ".join(names)}; print(*sys.modules)').split())

def test_reading_data_loads_no_training_library():
    "So that `tlnb run` answers in about a second where the data is wrong"
    names = [f'tlnb.{o}' for o in FLOORS if FLOORS[o][0] < 20 and o not in TRAINS]
    loaded = set(python(f'import sys, {", ".join(names)}; print(*sys.modules)').split())
    assert not loaded & {'torch', 'fastai', 'sklearn', 'shap', 'matplotlib'}

def test_public_names():
    "Each public name is what it says, also after the module of the same name was imported"
    code = '''
import inspect, tlnb, tlnb.recipe, tlnb.errors
assert set(tlnb.__all__) <= set(dir(tlnb))
assert tlnb.Recipe is tlnb.recipe.Recipe and tlnb.TlnbError is tlnb.errors.TlnbError
try: tlnb.nothing
except AttributeError as e: print(e)
'''
    assert "module 'tlnb' has no attribute 'nothing'" in python(code)
