"From a notebook and its run to a package: light, alike, whole or not there, and its second version"
import hashlib, json, os, re, shutil, subprocess, sys, tomllib, venv, zipfile
from importlib.metadata import distribution
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell as code, new_markdown_cell as text, new_notebook
from packaging.requirements import Requirement

from tlnb.adapt import Run, adapt
from tlnb.card import TITLES
from tlnb.cli import main
from tlnb.compare import compare
from tlnb.dataset import load
from tlnb.errors import ExportError, GateError, RecipeError, StoreError
from tlnb.evaluate import evaluate
from tlnb.export import export
from tlnb.project import staged
from tlnb.recipe import Recipe
from tlnb.store import RunFolder

PERSON = '### Intended use\n\nSecond opinion of the clerks.\n\n### Out of scope\n\nNever alone.\n\n### Training data\n\nOf the shop, with consent.\n\n### Risks and limits\n\nA wrong letter.\n\n### Contact\n\nMs Keller.'
CODE = '#| export\nimport numpy as np\n\ndef surest(answers:list)->dict:\n    "The answer that the model is surest of"\n    return answers[int(np.argmax([o["probability"] for o in answers]))]'


def people(path, n=300, seed=0):
    "Numbers, categories, dates and missing values; one category occurs once"
    rng = np.random.default_rng(seed)
    df = pd.DataFrame(dict(income=rng.normal(50, 10, n).round(2), job=rng.choice(['clerk', 'craft', 'pilot'], n), since=pd.Timestamp('2020-01-01') + pd.to_timedelta(rng.integers(0, 900, n), 'D'),
        sex=rng.choice(['f', 'm'], n)))
    df['bought'] = np.where(df.income + 8*(df.job == 'pilot') + rng.normal(0, 4, n) > 52, 'yes', 'no')
    df.loc[rng.choice(n, n//8, replace=False), 'income'] = np.nan
    df.loc[rng.choice(n, n//8, replace=False), 'job'] = None
    df.loc[n - 1, 'job'] = 'baker'
    df.to_csv(path, index=False)
    return path


MODES = 'RGB', 'L', 'P', 'RGBA', 'LA', 'CMYK', 'I;16', '1', 'exif'

def pictures(path, n=40):
    "Two colours, in every mode that a file may have"
    from PIL import Image
    rng = np.random.default_rng(0)
    for i in range(n):
        name = ('red', 'blue')[i % 2]
        pixels = rng.integers(0, 90, (40, 30, 3), dtype='uint8')
        pixels[..., 0 if name == 'red' else 2] += 120
        (path/name).mkdir(parents=True, exist_ok=True)
        image,mode,more = Image.fromarray(pixels),MODES[i//2 % len(MODES)],{}
        if mode == 'exif': more['exif'] = Image.Exif(); more['exif'][0x0112] = 6
        elif mode == 'I;16': image = Image.fromarray(np.asarray(image.convert('L')).astype('uint16')*257)
        elif mode in ('RGBA', 'LA'): image.putalpha(Image.fromarray(rng.integers(0, 255, (40, 30), 'uint8'))); image = image.convert(mode)
        else: image = image.convert(mode)
        image.save(path/name/f"{i:02}.{'jpg' if mode in ('CMYK', 'exif') else 'png'}", **more)
    return path


def ran(out, recipe, cells=(), said=PERSON):
    "What `tlnb run --out` leaves of a notebook with this recipe, without the kernel"
    out.mkdir()
    run = adapt(load(recipe), recipe, out/'run')
    evaluate(run)
    nbformat.write(new_notebook(cells=[text('# Who buys\n\n> A test'), code('from tlnb import Recipe'), code(recipe.to_cell()), *cells, text(said)]), out/'notebook.ipynb')
    return out


def table_recipe(data, **more):
    return Recipe.for_tabular(**{**dict(data=str(data), target='bought', sensitive=['sex'], run_seeds=1, run_jobs=1, train_epochs=3, tabular_layers=[16], transfer_labels_needed=False), **more})


@pytest.fixture(scope='module')
def table(tmp_path_factory):
    home = tmp_path_factory.mktemp('table')
    return ran(home/'out', table_recipe(people(home/'people.csv')), [code(CODE)])


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    home = tmp_path_factory.mktemp('photos')
    recipe = Recipe.for_vision(data=str(pictures(home/'data')), run_seeds=1, run_jobs=1, run_cache=str(home/'cache'), vision_size=32, train_epochs=2, transfer_baselines='majority', transfer_labels_needed=False)
    return ran(home/'out', recipe)


@pytest.fixture(scope='module')
def made(table, tmp_path_factory):
    return export(table, name='who-buys', to=tmp_path_factory.mktemp('made')/'project')


def tree(folder):
    "Hash of every file"
    return {o.relative_to(folder).as_posix(): hashlib.sha256(o.read_bytes()).hexdigest() for o in sorted(folder.rglob('*')) if o.is_file() and '.git/' not in f'{o}'}


def test_project(made, table):
    "An nbdev project, whose notebook shows no data, whose card is complete, and that the report knows of"
    assert {o['path'] for o in made.files} == {'pyproject.toml', 'README.md', 'LICENSE', 'CHANGELOG.md', '.gitignore', '.tlnb.json', 'nbs/who_buys.ipynb', 'tests/test_who_buys.py', 'tests/answers.json', 'images/arms.svg',
        *(f'who_buys/{o}' for o in ('__init__.py', '__main__.py', '_light.py', '_inputs.py', '_modidx.py', 'core.py', 'model.onnx', 'model.json'))}
    assert {o['status'] for o in made.files} == {'new'} and made.version == '0.1.0' and made.size_bytes == made.wheel.stat().st_size < 500_000
    assert made.parity['n'] == 75 and made.parity['max_difference'] <= 1e-4 and made.parity['label_agreement'] == 1
    toml = tomllib.loads((made.folder/'pyproject.toml').read_text())
    assert toml['project']['name'] == 'who-buys' and {o.split('>')[0] for o in toml['project']['dependencies']} == {'numpy', 'onnxruntime'}
    card = (made.folder/'README.md').read_text()
    assert 'Second opinion of the clerks.' in card and 'Ms Keller.' in card and 'who-buys 0.1.0' in card and 'draft' not in card and str(table.parent) not in card
    nb = nbformat.read(made.folder/'nbs/who_buys.ipynb', as_version=4)
    assert not [o for o in nb.cells if o.cell_type == 'code' and o.outputs] and nb.cells[1].source == '#| default_exp core'
    said = json.loads((table/'run/package.json').read_text())
    assert said == dict(name='who-buys', version='0.1.0', wheel=str(made.wheel), parity_max=made.parity['max_difference'], size_bytes=made.size_bytes)
    assert made.to_dict()['install'].startswith('pip install') and 'who-buys 0.1.0' in made._repr_html_()


def test_nbdev(made, tmp_path):
    "The project is as nbdev leaves it: exported and cleaned again, nothing changes"
    shutil.copytree(made.folder, tmp_path/'p')
    before = tree(tmp_path/'p')
    code = 'from nbdev.doclinks import nbdev_export; from nbdev.clean import nbdev_clean; nbdev_export(); nbdev_clean()'
    subprocess.run([sys.executable, '-W', 'ignore', '-c', code], cwd=tmp_path/'p', check=True)
    after = tree(tmp_path/'p')
    assert {k: v for k, v in after.items() if '__pycache__' not in k} == before


def test_notebook_repeats(made, table):
    "The recipe of the packaged notebook is the run's, its data found from where the notebook lies"
    from tlnb.cell import find_cell
    nb = nbformat.read(made.folder/'nbs/who_buys.ipynb', as_version=4)
    recipe = Recipe.from_cell(nb.cells[find_cell(nb)].source)
    run = Run.load(table)
    assert not os.path.isabs(recipe.data.path) and load(recipe, made.folder/'nbs').fingerprint == run.folder.meta['fingerprint']
    assert {k: v for k, v in recipe.values().items() if k != 'data.path'}.items() <= run.recipe.values().items()


def closure(*names):
    "These distributions and all that they ask for, without extras"
    found, todo = {}, list(names)
    while todo:
        d = distribution(todo.pop())
        if (name := d.metadata['Name']) in found: continue
        found[name] = d
        todo += [o.name for o in map(Requirement, d.requires or []) if not o.marker or o.marker.evaluate(dict(extra=''))]
    return list(found.values())


def fresh(where, *names):
    "A new environment with these distributions as they are here (links, so that nothing is fetched); returns how a wheel is installed there by pip, and how its Python is called"
    venv.create(where, with_pip=True, symlinks=True)
    site, python = next(where.glob('lib/python*/site-packages')), where/'bin/python'
    for d in closure(*names):
        tops = {o.parts[0] for o in d.files if o.parts[0] not in ('..', '__pycache__')}
        for o in tops:
            if not (site/o).exists(): (site/o).symlink_to(Path(d.locate_file(o)))
    env = {k: v for k, v in os.environ.items() if not k.startswith(('PYTHON', 'PIP_'))}
    def call(*args, code=0):
        done = subprocess.run([str(python), '-W', 'error', *map(str, args)], cwd=where, capture_output=True, text=True, env=env)
        assert done.returncode == code, done.stderr
        return done.stdout if not code else done.stderr
    def install(wheel):
        done = subprocess.run([str(python), '-m', 'pip', 'install', '--quiet', '--no-index', '--disable-pip-version-check', '--force-reinstall', '--no-deps', str(wheel)], capture_output=True, text=True, env=env)
        assert done.returncode == 0, done.stderr
        done = subprocess.run([str(python), '-m', 'pip', 'install', '--no-index', '--disable-pip-version-check', str(wheel)], capture_output=True, text=True, env=env)
        assert done.returncode == 0, f'it asks for something that is not there: {done.stderr}'
    return install, call


@pytest.fixture(scope='module')
def bare(tmp_path_factory):
    "A fresh environment in which there is nothing but what a light package asks for: `bare(wheel, *args)` installs the wheel there and runs Python"
    install, call = fresh(tmp_path_factory.mktemp('bare'), 'numpy', 'onnxruntime', 'pillow')
    there = set()
    def run(wheel, *args, **more):
        if wheel not in there: install(wheel); there.add(wheel)
        return call(*args, **more)
    return run


LIGHT = '''
import json, sys
import NAME
answers = NAME.predict(sys.argv[1] if len(sys.argv) == 2 else sys.argv[1:])
from importlib.util import find_spec
heavy = [o for o in ('torch', 'fastai', 'tlnb', 'pandas', 'sklearn', 'scipy') if find_spec(o)]
assert not heavy, heavy
print(json.dumps(dict(labels=[o['label'] for o in answers], proba=NAME.predict_proba(sys.argv[1] if len(sys.argv) == 2 else sys.argv[1:]).tolist(), check=NAME.check(sys.argv[1] if len(sys.argv) == 2 else sys.argv[1:])['word'])))
'''


def same(run, said, items):
    "What the package says and what the learner says of the same rows, all of the judged ones among them"
    found = run.predict(items)
    assert len(said['labels']) == len(items)
    assert said['labels'] == found.predicted.tolist()
    np.testing.assert_allclose(said['proba'], found.drop(columns='predicted'), atol=1e-4)


def test_table_elsewhere(made, table, bare):
    "Every row of the file, missing values and a category that training never had among them, as the learner answers it"
    run = Run.load(table)
    data = Path(run.recipe.data.path)
    said = json.loads(bare(made.wheel, '-c', LIGHT.replace('NAME', 'who_buys'), data))
    same(run, said, load(run.recipe).frame)
    assert said['check'] == 'steady'
    out = bare(made.wheel, '-m', 'who_buys', data).splitlines()
    assert out[0].startswith('label,probability') and len(out) == 301
    assert bare(made.wheel, '-m', 'who_buys', '--card').startswith('# Model card')
    assert 'label' in bare(made.wheel, '-c', f'from who_buys import predict\nfrom who_buys.core import surest\nprint(surest(predict({str(data)!r})))')


def test_pictures_elsewhere(photos, bare, tmp_path):
    "Every picture, whatever its mode"
    made = export(photos, name='colours', to=tmp_path/'p')
    assert made.parity['label_agreement'] == 1 and any('#| export' in o for o in made.notes)
    run = Run.load(photos)
    items = load(run.recipe).frame
    said = json.loads(bare(made.wheel, '-c', LIGHT.replace('NAME', 'colours'), *items.path))
    same(run, said, items)


@pytest.fixture
def waves(monkeypatch):
    "Tables go through a Fourier transform and back, which changes nothing, but for which ONNX has no word"
    import torch
    from tlnb.tabular.learner import TableNet
    real = TableNet.features
    def features(self, *x):
        h = real(self, *x)
        return torch.fft.irfft(torch.fft.rfft(h), n=h.shape[1])
    monkeypatch.setattr(TableNet, 'features', features)


def test_what_onnx_cannot_carry(table, waves, bare, tmp_path, capsys):
    "The package asks for torch and says so everywhere; with torch it answers as the learner does, without torch it says in one line what it lacks"
    made = export(table, name='who-waves', to=tmp_path/'p')
    assert made.parity['max_difference'] <= 1e-4 and made.parity['label_agreement'] == 1 and made.install == f"pip install '{made.wheel}[torch]'"
    with zipfile.ZipFile(made.wheel) as z: there = {o.removeprefix('who_waves/') for o in z.namelist()}
    assert {'network.json', 'model.safetensors', '_replay.py'} <= there and 'model.onnx' not in there
    toml = tomllib.loads((made.folder/'pyproject.toml').read_text())['project']
    assert not [o for o in toml['dependencies'] if 'onnx' in o or 'torch' in o] and [o.split('>')[0] for o in toml['optional-dependencies']['torch']] == ['torch', 'safetensors']
    for text in ((made.folder/'README.md').read_text(), json.loads((made.folder/'who_waves/model.json').read_text())['card'], '\n'.join(made.lines())):
        assert 'ONNX cannot carry this network' in text and '[torch]' in text
    run = Run.load(table)
    data = Path(run.recipe.data.path)
    err = bare(made.wheel, '-m', 'who_waves', data, code=2)
    assert err.splitlines() == ["who_waves: the network of this package runs in torch, which is not here; pip install 'who-waves[torch]'"]
    assert bare(made.wheel, '-m', 'who_waves', '--card').startswith('# Model card')
    install, call = fresh(tmp_path/'env', 'numpy', 'torch', 'safetensors')
    install(made.wheel)
    said = json.loads(call('-W', 'ignore', '-c', LIGHT.replace('NAME', 'who_waves').replace("'torch', ", ''), data))
    same(run, said, load(run.recipe).frame)
    assert export(table, name='who-waves', to=tmp_path/'again').wheel.read_bytes() == made.wheel.read_bytes()


def test_onnx_that_answers_otherwise(table, tmp_path, monkeypatch):
    "A graph that is not the learner's gives way to torch, in the next version too, and what was there before is taken away; the version after it is ONNX again"
    import tlnb.onnx
    real = tlnb.onnx.to_onnx
    to = tmp_path/'p'
    export(table, name='who-else', to=to)
    def other(model, **more):
        import copy
        model = copy.deepcopy(model)
        model.head.weight.data[0] += .5
        return real(model, **more)
    monkeypatch.setattr(tlnb.onnx, 'to_onnx', other)
    second = export(table, name='who-else', to=to)
    assert second.extra == 'torch' and second.parity['max_difference'] <= 1e-4 and 'would not answer as the learner does' in '\n'.join(second.notes)
    assert not (to/'who_else/model.onnx').exists() and {'path': 'who_else/model.onnx', 'status': 'removed'} in second.files
    monkeypatch.undo()
    third = export(table, name='who-else', to=to)
    assert not third.extra and (to/'who_else/model.onnx').exists() and not [o for o in ('network.json', 'model.safetensors', '_replay.py') if (to/'who_else'/o).exists()] and not third.kept


def test_own_tests_pass(made):
    done = subprocess.run([sys.executable, '-W', 'ignore', '-m', 'pytest', '-q', '-p', 'no:cacheprovider', 'tests'], cwd=made.folder, capture_output=True, text=True,
        env={**os.environ, 'PYTHONPATH': str(made.folder), 'PYTHONDONTWRITEBYTECODE': '1'})
    assert done.returncode == 0, done.stdout


def test_same_wheel(made, table, tmp_path):
    "Elsewhere, and later: byte for byte"
    again = export(table, name='who-buys', to=tmp_path/'other'/'place')
    assert again.wheel.read_bytes() == made.wheel.read_bytes()


def git(folder, *args): return subprocess.run(['git', '-C', str(folder), *args], check=True, capture_output=True, text=True).stdout.strip()

def repository(folder):
    folder.mkdir()
    git(folder, 'init', '--quiet')
    git(folder, 'config', 'user.name', 'A')
    git(folder, 'config', 'user.email', 'a@example.org')
    return folder


def test_second_version(table, tmp_path):
    "Other data and another recipe: version, changelog, tag; what a person wrote stays, and is named"
    to = repository(tmp_path/'p')
    first = export(table, name='who-buys', to=to)
    assert git(to, 'tag') == 'v0.1.0' and git(to, 'status', '--porcelain') == '' and git(to, 'log', '--format=%s') == 'who-buys 0.1.0'
    (to/'LICENSE').write_text('Ask us.')
    (to/'notes.txt').write_text('mine')
    (to/'who_buys/__init__.py').write_text((to/'who_buys/__init__.py').read_text() + '\nmine = 1\n')
    (to/'CHANGELOG.md').write_text((to/'CHANGELOG.md').read_text().replace('First version.', 'First version, made in a hurry.'))
    readme = (to/'README.md').read_text()
    (to/'README.md').write_text(readme.replace(readme.split('<!-- person: risks -->\n')[1].split('\n<!-- end')[0], 'We look at it every month.'))
    (to/'README.md').write_text((to/'README.md').read_text().replace('Never alone.', 'Never alone, and never on Sundays.'))
    later = ran(tmp_path/'later', table_recipe(people(tmp_path/'people.csv', 340, 1), train_epochs=4), said=PERSON.replace('A wrong letter.', '').replace('Ms Keller', 'Mr Keller'))
    seen = export(later, name='who-buys', to=to, dry_run=True)
    assert git(to, 'tag') == 'v0.1.0' and first.wheel.exists() and not seen.wheel.exists() and seen.version == '0.2.0' and 'would be written' in '\n'.join(seen.lines())
    second = export(later, name='who-buys', to=to)
    assert second.version == '0.2.0' and second.files == seen.files and set(second.kept) == {'LICENSE', 'who_buys/__init__.py'}
    assert 'core.py' in '\n'.join(o['path'] for o in second.files if o['status'] == 'removed'), 'the later notebook exports no cell'
    log = (to/'CHANGELOG.md').read_text()
    assert 'made in a hurry' in log and log.index('## 0.2.0') < log.index('## 0.1.0')
    for said in ('Data: other rows', '225 → 255 training rows', '`train.epochs` 3 → 4', 'Score: accuracy'): assert said in log, said
    assert (to/'LICENSE').read_text() == 'Ask us.' and 'We look at it every month.' in (to/'README.md').read_text()
    readme = (to/'README.md').read_text()
    assert 'never on Sundays' in readme and 'Mr Keller' in readme and 'Ms Keller' not in readme and any('words of its own for Out of scope, which stay' in o for o in second.notes)
    init = (to/'who_buys/__init__.py').read_text()
    assert '__version__ = "0.2.0"' in init and 'mine = 1' in init
    assert git(to, 'tag').split() == ['v0.1.0', 'v0.2.0'] and git(to, 'log', '--format=%s').splitlines() == ['who-buys 0.2.0', 'who-buys 0.1.0']
    assert {o.split()[-1] for o in git(to, 'status', '--porcelain').splitlines()} == {'LICENSE', 'who_buys/__init__.py', 'notes.txt'}
    assert sorted(o.name for o in (to/'dist').iterdir()) == ['.rows', 'who_buys-0.1.0-py3-none-any.whl', 'who_buys-0.2.0-py3-none-any.whl']
    assert [o.name for o in tmp_path.iterdir() if o.name.startswith('.')] == []
    assert 'not committed, so that the commit and tag of 0.2.0 do not hold the change: ' in ' '.join(second.notes) and not any('README' in o and 'words of its own' not in o for o in second.notes)
    (to/'README.md').write_text((to/'README.md').read_text() + 'By hand.')
    git(to, 'add', '.'); git(to, 'commit', '--quiet', '-m', 'by hand')
    third = export(later, name='who-buys', to=to)
    assert 'never on Sundays' in (to/'README.md').read_text()
    assert 'README.md; move it away' in ' '.join(third.notes) and 'not committed' not in ' '.join(third.notes)
    assert git(to, 'show', 'v0.3.0:who_buys/__init__.py') == (to/'who_buys/__init__.py').read_text().strip() and git(to, 'status', '--porcelain') == ''
    both = compare(first.wheel, second.wheel)
    assert not both.same_data and 'train.epochs' in str(both.to_dict()['recipe']) and both.flips is None and any('No row was judged in both: intervals' in o for o in both.notes)
    assert compare(second.wheel, third.wheel).flips['count'] == 0 and git(to, 'ls-files', 'dist') == ''


def test_parts_left_out(table, tmp_path):
    "Pictures and statistics of the training data go in unless they are left out; the next version is as the last one was, licence and all"
    def status(made): return {o['path']: o['status'] for o in made.files}
    def images(made): return {o for o in status(made) if o.startswith('images/')}
    to = tmp_path/'p'
    first = export(table, name='who-buys', to=to, licence='MIT', rows='none', without='reference')
    assert images(first) and 'images/' in (to/'README.md').read_text() and 'MIT License' in (to/'LICENSE').read_text()
    said = subprocess.run([sys.executable, '-m', 'who_buys', '--check', str(table.parent/'people.csv')], cwd=to, capture_output=True, text=True)
    assert said.returncode == 2 and said.stderr.startswith('who_buys: nothing to check against') and said.stderr.count('\n') == 1, said.stderr
    second = export(table, name='who-buys', to=to, without='reference,pictures')
    assert {status(second)[o] for o in images(first)} == {'removed'} and not (to/'images/arms.svg').exists() and 'images/' not in (to/'README.md').read_text()
    assert status(second)['LICENSE'] == 'unchanged' and not (to/'dist/.rows').exists(), 'as in the version before'
    state = json.loads((to/'.tlnb.json').read_text())
    third = export(table, name='who-buys', to=to, dry_run=True)
    assert not images(third) and status(third)['LICENSE'] == 'unchanged'
    fourth = export(table, name='who-buys', to=to, dry_run=True, without='', licence='Apache-2.0')
    assert images(fourth) == images(first) and status(fourth)['LICENSE'] == 'changed' and 'Licence: MIT → Apache-2.0.' in fourth.changes
    (to/'.tlnb.json').write_text(json.dumps({k: v for k,v in state.items() if k != 'chosen'}))
    assert status(export(table, name='who-buys', to=to, dry_run=True))['LICENSE'] == 'unchanged', 'a licence stands in pyproject.toml'
    assert main(['export', str(table), '--name', 'who-buys', '--to', str(to), '--without', 'pictures,model']) == 2


def test_draft_then_release(table, tmp_path):
    "A draft says so in version and card, and is replaced by the release that it was a draft of"
    silent = tmp_path/'silent'
    shutil.copytree(table, silent)
    nb = nbformat.read(silent/'notebook.ipynb', as_version=4)
    nb.cells = nb.cells[:-1]
    nbformat.write(nb, silent/'notebook.ipynb')
    with pytest.raises(ExportError, match=r'Intended use \(no such heading\), Out of scope \(no such heading\), Training data \(no such heading\), Risks and limits \(no such heading\), Contact'): export(silent, name='who-buys', to=tmp_path/'p')
    assert not (tmp_path/'p').exists()
    nb.cells += [text(f'### {o}\n\n*To be written by a person:* Who knows?') for o in TITLES.values()]
    nb.cells[-1].source += '\n\nMs Keller.'
    nbformat.write(nb, silent/'notebook.ipynb')
    with pytest.raises(ExportError, match=r'Intended use \(cell 5\), Out of scope \(cell 6\), Training data \(cell 7\), Risks and limits \(cell 8\); '): export(silent, name='who-buys', to=tmp_path/'p')
    nb.cells = nb.cells[:-5]
    nbformat.write(nb, silent/'notebook.ipynb')
    first = export(silent, name='who-buys', to=tmp_path/'p', draft=True)
    card = (tmp_path/'p/README.md').read_text()
    assert first.version == '0.1.0.dev0' and 'This is a draft of version 0.1.0, not for use.** Not written yet: Intended use, Out of scope, Training data, Risks and limits, Contact.' in card
    done = export(table, name='who-buys', to=tmp_path/'p')
    assert done.version == '0.1.0' and 'draft' not in (card := (tmp_path/'p/README.md').read_text()) and 'o be written' not in card and 'dev0' not in (tmp_path/'p/CHANGELOG.md').read_text()


@pytest.mark.parametrize('kind', ['tabular', 'text', 'vision'])
def test_templates_ask(kind, tmp_path):
    "Each template has the parts that a person writes, empty, and a function for the package that runs alone"
    from tlnb.card import card_text, said_in
    from tlnb.export import _place
    from tlnb.finished import exported
    from tlnb.gallery import new
    nb = nbformat.read(new(kind, tmp_path), as_version=4)
    assert said_in(nb) == {} and all('(cell ' in _place(nb, o) for o in TITLES.values())
    RunFolder(tmp_path/'run').create('0123456789abcdef', {})
    asked = [o.split(' -->')[1].split('<!--')[0].strip() for o in card_text(RunFolder(tmp_path/'run')).split('<!-- person: ')[1:]]
    assert asked == [o.source.split('\n\n')[1] for o in nb.cells if o.source.startswith(tuple(f'### {o}\n' for o in TITLES.values()))], 'as on the card'
    [source], there = exported(nb), {}
    exec(source, there)
    assert there['refer'](dict(probability=.7)) and not there['refer'](dict(probability=.9)) and not there['refer'](dict(value=3.))


def refused(capsys, code, *args):
    "One clear line"
    assert main(['export', *map(str, args)]) == code
    err = [o for o in capsys.readouterr().err.splitlines() if not o.endswith('…')]
    assert len(err) == 1 and err[0].startswith('tlnb: ') and 'Traceback' not in err[0], err
    return err[0]


@pytest.mark.parametrize('args, said', [(['--name', 'my model'], 'not a name for a package'), (['--name', 'json'], 'a module of Python'), (['--name', '3d'], 'can be imported'),
    (['--name', 'numpy'], 'the name is taken'), (['--name', 'ok', '--bump', 'tiny'], 'no such bump'), (['--name', 'ok', '--licence', 'WTF'], 'no such licence')])
def test_wrong_request(table, tmp_path, capsys, args, said):
    import re
    assert re.search(said, refused(capsys, 2, table, '--to', tmp_path/'p', *args)) and not list(tmp_path.iterdir())


def changed_notebook(table, tmp_path, change):
    shutil.copytree(table, tmp_path/'out')
    file = tmp_path/'out/notebook.ipynb'
    nb = nbformat.read(file, as_version=4)
    change(nb)
    nbformat.write(nb, file)
    return file


def test_wrong_notebook(table, tmp_path, capsys):
    def at(k, source):
        def change(nb): nb.cells[k].source = source
        return change
    for k,(change, said) in enumerate({'recipe': (at(2, Recipe.for_tabular(data='people.csv', target='bought', train_epochs=9).to_cell()), 'the recipe was changed'),
            'syntax': (at(3, '#| export\ndef f(:'), 'cell 4, line 2'), 'none': (at(2, '1'), 'no recipe cell'),
            'alone': (at(3, CODE.replace('np.argmax(', 'np.argmax(weights and ').replace('def surest', 'weights = run\n\ndef surest')), "core.py; NameError: name 'run' is not defined"),
            'own': (at(3, '#| default_exp _light\n#| export\nx = 1'), 'a module of the package is called so')}.values()):
        (tmp_path/f'{k}').mkdir()
        assert said in refused(capsys, 2, changed_notebook(table, tmp_path/f'{k}', change), '--name', 'ok', '--to', tmp_path/'p')
    (tmp_path/'bad.ipynb').write_text('{')
    assert 'not a notebook' in refused(capsys, 2, tmp_path/'bad.ipynb', '--name', 'ok', '--to', tmp_path/'p')
    assert 'no such notebook or run' in refused(capsys, 2, tmp_path/'nowhere', '--name', 'ok', '--to', tmp_path/'p')
    assert not [o for o in tmp_path.iterdir() if o.name not in (*'01234', 'bad.ipynb')]


def test_wrong_place(table, tmp_path, capsys):
    (tmp_path/'mine').mkdir()
    (tmp_path/'mine/thesis.txt').write_text('mine')
    assert 'not empty' in refused(capsys, 2, table, '--name', 'ok', '--to', tmp_path/'mine')
    assert 'a file stands' in refused(capsys, 2, table, '--name', 'ok', '--to', tmp_path/'mine/thesis.txt')
    if os.path.isdir('/proc'): refused(capsys, 2, table, '--name', 'ok', '--to', '/proc/ok')
    for place in ('locked', 'locked/new'):
        (tmp_path/'locked').mkdir(exist_ok=True)
        (tmp_path/'locked').chmod(0o555)
        assert 'the folder is read-only' in refused(capsys, 2, table, '--name', 'ok', '--to', tmp_path/place)
    assert tree(tmp_path/'mine').keys() == {'thesis.txt'} and {o.name for o in tmp_path.iterdir()} == {'mine', 'locked'} and not list((tmp_path/'locked').iterdir())


def test_no_git_identity(table, tmp_path, capsys, monkeypatch):
    git(repository(tmp_path/'p'), 'config', '--unset', 'user.email')
    for k in ('GIT_CONFIG_GLOBAL', 'GIT_CONFIG_SYSTEM'): monkeypatch.setenv(k, os.devnull)
    for k in [o for o in os.environ if o.startswith(('GIT_AUTHOR', 'GIT_COMMITTER')) or o == 'EMAIL']: monkeypatch.delenv(k)
    assert 'git does not know who commits' in refused(capsys, 2, table, '--name', 'ok', '--to', tmp_path/'p')
    assert [o.name for o in (tmp_path/'p').iterdir()] == ['.git']


def test_gates(table, tmp_path, capsys, monkeypatch):
    "Exit 1; a written reason opens the bias gate, and stands on the card; nothing opens that of parity"
    shutil.copytree(table, tmp_path/'out')
    gap = dict(attribute='sex', metric='equalized_odds_difference', value=0.3, interval=[0.2, 0.4], lowest='f', highest='m', limit=0.1, verdict='fail')
    (tmp_path/'out/run/bias.json').write_text(json.dumps(dict(verdict='fail', gaps=[gap], undecided=[], notes=[], rows=75, gate=dict(on=True, reason=''), model='x', groups=[])))
    line = refused(capsys, 1, tmp_path/'out', '--name', 'ok', '--to', tmp_path/'p')
    assert 'the bias gate said no: equalized odds difference by sex is 0.300, the limit 0.1' in line and not (tmp_path/'p').exists()
    assert main(['export', str(tmp_path/'out'), '--name', 'ok', '--to', str(tmp_path/'p'), '--reason', 'a pilot of two weeks']) == 0
    assert 'The gate was overridden, for this reason:** a pilot of two weeks' in (tmp_path/'p/README.md').read_text()
    assert 'a pilot of two weeks' in (tmp_path/'p/CHANGELOG.md').read_text()
    said = json.loads((tmp_path/'out/run/bias.json').read_text())
    (tmp_path/'out/run/bias.json').write_text(json.dumps({**said, 'gate': dict(on=True, reason='the recipe says why')}))
    assert any('overridden: the recipe says why' in o for o in export(tmp_path/'out', name='ok', to=tmp_path/'p', dry_run=True).changes)
    capsys.readouterr()
    import tlnb.parity
    before = tree(tmp_path/'p')
    monkeypatch.setattr(tlnb.parity, 'parity', lambda *_: dict(max_difference=2e-4, label_agreement=1., n=75))
    assert 'largest difference 0.0002' in refused(capsys, 1, table, '--name', 'ok', '--to', tmp_path/'p') and tree(tmp_path/'p') == before


def test_half_a_replacement(tmp_path, monkeypatch):
    "Where two folders cannot change places in one step, what was killed between the two renames is taken back"
    import tlnb.project
    monkeypatch.setattr(tlnb.project, '_swap', lambda a, b: False)
    for version in ('0.1.0', '0.2.0'):
        with staged(tmp_path/'p', 'whole') as p: p.write('whole/__init__.py', f'__version__ = "{version}"\n'); p.finish({})
    assert '0.2.0' in (tmp_path/'p/whole/__init__.py').read_text() and [o.name for o in tmp_path.iterdir()] == ['p']
    (tmp_path/'p').rename(tmp_path/'.p.old')
    (tmp_path/'.p.01234567.export').mkdir()
    with pytest.raises(StoreError):
        with staged(tmp_path/'p', 'other'): pass
    assert [o.name for o in tmp_path.iterdir()] == ['p'] and '0.2.0' in (tmp_path/'p/whole/__init__.py').read_text()


KILLS = '''
import os, random, signal, sys, time
from pathlib import Path
import torch; torch.set_num_threads(1)
import tlnb.parity, tlnb.tabular.modality, tlnb.tabular.exporter
from tlnb.export import export
from test_export import tree
run, to, kills = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
def fork(seconds):
    pid = os.fork()
    if not pid:
        try: export(run, name='who-buys', to=to); os._exit(0)
        except BaseException as e: print(type(e), e, flush=True); os._exit(1)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ended, status = os.waitpid(pid, os.WNOHANG)
        assert not ended or status == 0, 'the export failed'
        if ended: return True
        time.sleep(.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
start = time.monotonic()
assert fork(300)
span, before, rng = time.monotonic() - start, tree(to), random.Random(0)
for k in range(kills):
    done = fork(rng.uniform(.3, 1.05)*span)
    now = tree(to)
    if not done: assert now == before or b'0.2.0' in (to/'who_buys/__init__.py').read_bytes() and (to/'dist/who_buys-0.2.0-py3-none-any.whl').is_file(), k
    if now != before: break
assert done or fork(300)
print(sorted(o.name for o in to.parent.iterdir()))
'''

@pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork')
def test_killed(table, tmp_path):
    "SIGKILL at random moments leaves the previous version, whole; what it left beside it, the next export sweeps away"
    from conftest import ROOT
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', KILLS, str(table), str(tmp_path/'p'), '3'], capture_output=True, text=True,
        env={**os.environ, 'PYTHONPATH': f'{ROOT}{os.pathsep}{ROOT/"tests"}', 'OMP_NUM_THREADS': '1'})
    assert done.returncode == 0 and done.stdout.strip() == "['p']", done.stdout + done.stderr


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork')
def test_killed_often(tmp_path):
    "One version or the other, never a part of each, at thirty moments"
    import random, signal, time
    to, rng, seen = tmp_path/'p', random.Random(1), set()
    def version(k):
        with staged(to, 'whole') as p:
            for i in range(30): p.write(f'whole/{i}.py', f'{k}')
            p.write('whole/__init__.py', f'__version__ = "0.{k}.0"\n')
            p.finish({})
    version(0)
    start = time.monotonic()
    version(1)
    span = time.monotonic() - start
    for k in range(2, 32):
        pid = os.fork()
        if not pid:
            try: version(k)
            finally: os._exit(0)
        time.sleep(rng.uniform(.5, 1.5)*span)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        said = {o.read_text() for o in (to/'whole').glob('[0-9]*.py')}
        assert len(said) == 1 and f'"0.{said.copy().pop()}.0"' in (to/'whole/__init__.py').read_text() and len(list((to/'whole').iterdir())) == 31
        seen.add(done := int(said.pop()) == k)
        span *= .8 if done else 1.25 # kills gather about the moment at which it happens
    version(99)
    assert seen == {True, False} and [o.name for o in tmp_path.iterdir()] == ['p']


def test_notebook_finds_its_run(table, tmp_path):
    "By the folder beside it, or by what its outputs name"
    from tlnb.export import found
    assert found(table/'notebook.ipynb')[0].folder.path == table/'run' == found(table/'run')[0].folder.path
    nb = nbformat.read(table/'notebook.ipynb', as_version=4)
    nb.cells[3].outputs = [nbformat.v4.new_output('display_data', data={'application/vnd.tlnb.verdict+json': dict(run=str(table/'run'))})]
    nbformat.write(nb, tmp_path/'mine.ipynb')
    assert found(tmp_path/'mine.ipynb')[0].folder.path == table/'run'
    with pytest.raises(RecipeError, match='no run of this notebook'): found(shutil.copy(table/'notebook.ipynb', tmp_path/'sub.ipynb'))
    (table/'notebook.ipynb').rename(tmp_path/'away.ipynb')
    try: assert 'Recipe.for_tabular' in ''.join(o.source for o in found(table)[1].cells), 'the template with the recipe of the run'
    finally: (tmp_path/'away.ipynb').rename(table/'notebook.ipynb')
