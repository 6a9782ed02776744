"What an export must not do, whoever is in its way: small and without a model"
import hashlib, json, os, shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from tlnb.errors import ExportError, GateError, RecipeError, StoreError
from tlnb.project import staged
from tlnb.store import RunFolder


def failed(path, reason='', on=True):
    "A run whose bias check failed, with what its recipe says about that"
    gap = dict(attribute='sex', metric='equalized_odds_difference', value=0.3, limit=0.1, verdict='fail')
    return SimpleNamespace(folder=SimpleNamespace(read_json=lambda name: dict(verdict='fail', gaps=[gap], gate=dict(on=on, reason=reason))))


NONSENSE = ['[]', '['*100_000, '5', {'files': []}, {'files': None}, {'files': {'a': 5}}, {'basis': 'x'}, {'basis': {}}, {'basis': dict(fingerprint=1)}, {'draft': 5}, {'released': 5}, {'released': 'banana'},
    {'chosen': None}, {'chosen': 'MIT'}, {'chosen': dict(rows=['none'])}, {'chosen': dict(rows='all')}, {'chosen': dict(without='x')}, {'person': 5}, {'name': 5}, {'schema': 99}]
OUTSIDE = ['../victim', '/victim', '.git/config', 'out/victim', '']

@pytest.mark.parametrize('state', [*NONSENSE, *[{'files': {o: hashlib.sha256(b'mine').hexdigest()}} for o in OUTSIDE]], ids=lambda o: str(o)[:40])
def test_state_of_others(tmp_path, state):
    "What an export has left behind may be damaged, or come from somebody who means harm: one line, and no file is touched"
    victim,to = tmp_path/'victim',tmp_path/'p'
    victim.write_text('mine')
    to.mkdir()
    (to/'out').symlink_to(tmp_path)
    text = state if isinstance(state, str) else json.dumps(dict(schema=1, name='whole') | state)
    (to/'.tlnb.json').write_text(text.replace('"/victim"', json.dumps(str(victim))))
    with pytest.raises(StoreError, match='damaged|a later tlnb|outside of the project') as e:
        with staged(to, 'whole', dry=True) as p: p.finish({})
    assert len(str(e.value).splitlines()) == 1 and str(to) in str(e.value) and victim.read_text() == 'mine'


def test_reason(tmp_path):
    "Blanks are no reason; the recipe's is as good as one that is given"
    from tlnb.export import _bias_gate
    for blank in ('', '  ', '\n\t'):
        with pytest.raises(GateError): _bias_gate(failed(tmp_path), blank)
        with pytest.raises(GateError): _bias_gate(failed(tmp_path, blank), '')
        with pytest.raises(GateError): _bias_gate(failed(tmp_path, blank, on=False), '')
    assert _bias_gate(failed(tmp_path, 'a pilot'), '') == 'a pilot' and _bias_gate(failed(tmp_path, 'a pilot'), ' two weeks ') == 'two weeks'


def version(to, k, name='whole'):
    with staged(to, name) as p:
        p.write(f'{name}/__init__.py', f'__version__ = "0.{k}.0"\n')
        p.finish({})


@pytest.mark.parametrize('change', [lambda o: (o/'whole/__init__.py').write_text('mine'), lambda o: (o/'new.txt').write_text('mine'), lambda o: (o/'notes.txt').unlink(), lambda o: (o/'folder').mkdir(),
    lambda o: (o/'.git/index').write_text('mine'), lambda o: (o/'.git/refs').mkdir(), lambda o: shutil.rmtree(o)], ids=['changed', 'new', 'gone', 'folder', 'index', 'refs', 'all'])
def test_meanwhile(tmp_path, change):
    "What a person does in the project while an export runs stays, and the export says so"
    to = tmp_path/'p'
    version(to, 1)
    (to/'notes.txt').write_text('mine')
    (to/'.git').mkdir(); (to/'.git/index').write_text('')
    with pytest.raises(ExportError, match='was changed while it was exported: .*; nothing was written: export again'):
        with staged(to, 'whole') as p:
            p.write('whole/more.py', 'x = 1')
            change(to)
            there = sorted(o.relative_to(to) for o in to.rglob('*'))
    assert sorted(o.relative_to(to) for o in to.rglob('*')) == there and not list(tmp_path.glob('.p.*'))


def test_meanwhile_new(tmp_path):
    "Also where there was nothing, and somebody put something"
    with pytest.raises(ExportError, match='thesis.txt'):
        with staged(tmp_path/'p', 'whole'):
            (tmp_path/'p').mkdir(); (tmp_path/'p/thesis.txt').write_text('mine')
    assert [o.name for o in tmp_path.iterdir()] == ['p'] and (tmp_path/'p/thesis.txt').read_text() == 'mine'


def test_namespace_package_is_a_taken_name(tmp_path, monkeypatch):
    (tmp_path/'site/spaced/inner').mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path/'site'))
    with pytest.raises(RecipeError, match='the name is taken: import spaced gives'): version(tmp_path/'p', 1, 'spaced')
    monkeypatch.chdir(tmp_path/'site')
    version(tmp_path/'q', 1, 'spaced') # a mere folder where one stands


def test_sweep_takes_only_its_own(tmp_path):
    "Whatever characters a name has, and whatever lies beside it"
    for o in ('.p[12].0123abcd.export', '.p1.0123abcd.export', '.p[12].mine.export', '.p[12].x.0123abcd.export'): (tmp_path/o).mkdir()
    version(tmp_path/'p[12]', 1)
    assert {o.name for o in tmp_path.iterdir()} == {'p[12]', '.p1.0123abcd.export', '.p[12].mine.export', '.p[12].x.0123abcd.export'}


def test_dry_run_sees_what_would_refuse(tmp_path, monkeypatch):
    "A target that is read-only, or in which one stands"
    version(tmp_path/'p', 1)
    for o in ('p', 'p/whole'):
        monkeypatch.chdir(tmp_path/o)
        for dry in (True, False):
            with pytest.raises(StoreError, match='stand outside of it'):
                with staged('.' if o == 'p' else '..', 'whole', dry): pass
    monkeypatch.chdir(tmp_path)
    (tmp_path/'p').chmod(0o555)
    with pytest.raises(StoreError, match='read-only'):
        with staged(tmp_path/'p', 'whole', True): pass
    (tmp_path/'p').chmod(0o755)


def test_the_notebook_that_a_person_edits(tmp_path):
    "Of `tlnb run`'s output folder the notebook itself is taken, not its copy in the run; where its recipe is another one, that is said"
    import nbformat
    from nbformat.v4 import new_code_cell as code, new_markdown_cell as text, new_notebook
    from tlnb.finished import _notebook_of
    from tlnb.recipe import Recipe
    recipe = Recipe.for_tabular(data='people.csv', target='bought')
    at = tmp_path/'out/run'
    at.mkdir(parents=True)
    def write(path, said, o=recipe): nbformat.write(new_notebook(cells=[code(o.to_cell()), text(said)]), path)
    run = SimpleNamespace(folder=SimpleNamespace(path=at, meta=dict(base=str(tmp_path))), recipe=recipe)
    write(at/'notebook.ipynb', 'as it ran')
    assert _notebook_of(run).cells[1].source == 'as it ran'
    write(tmp_path/'out/notebook.ipynb', 'edited')
    assert _notebook_of(run).cells[1].source == 'edited'
    write(tmp_path/'out/notebook.ipynb', 'edited', Recipe.for_tabular(data='people.csv', target='bought', train_epochs=9))
    with pytest.raises(RecipeError, match='the recipe was changed since the notebook was run'): _notebook_of(run)


def git(folder, *args):
    import subprocess
    return subprocess.run(['git', '-C', str(folder), *args], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def author(monkeypatch):
    for k in ('GIT_AUTHOR', 'GIT_COMMITTER'): monkeypatch.setenv(f'{k}_NAME', 'A'); monkeypatch.setenv(f'{k}_EMAIL', 'a@example.org')


@pytest.mark.parametrize('kind', ['worktree', 'submodule'])
def test_repository_whose_git_is_a_file(tmp_path, author, kind):
    "A worktree or a submodule is a repository too; the copy is committed from, and nothing where the project was changed meanwhile"
    from tlnb.git import git_commit, git_ready
    for o in ('main', 'other'):
        (tmp_path/o).mkdir(); git(tmp_path/o, 'init', '--quiet'); git(tmp_path/o, 'commit', '--quiet', '--allow-empty', '-m', 'begun')
    if kind == 'worktree': git(tmp_path/'main', 'worktree', 'add', '--quiet', '../p', '-b', 'mine'); to = tmp_path/'p'
    else: git(tmp_path/'main', '-c', 'protocol.file.allow=always', 'submodule', 'add', '--quiet', str(tmp_path/'other'), 'p'); to = tmp_path/'main/p'
    assert (to/'.git').is_file() and git_ready(to, 'v0.1.0')
    def commit(k, meanwhile=lambda: None):
        with staged(to, 'whole') as p:
            p.write('whole/__init__.py', f'__version__ = "0.{k}.0"\n'); p.finish({})
            meanwhile()
            p.check(); git_commit(p.folder, ['whole/__init__.py', '.tlnb.json'], f'whole 0.{k}.0', f'v0.{k}.0')
    commit(1)
    assert git(to, 'status', '--porcelain') == '' and git(to, 'tag') == 'v0.1.0' and git(to, 'show', 'HEAD:whole/__init__.py') == '__version__ = "0.1.0"'
    with pytest.raises(ExportError, match='was changed'): commit(2, lambda: (to/'notes.txt').write_text('mine'))
    assert git(to, 'tag') == 'v0.1.0' and git(to, 'log', '--format=%s').splitlines()[0] == 'whole 0.1.0' and git(to, 'status', '--porcelain') == '?? notes.txt'


def test_looking_at_a_repository_changes_nothing(tmp_path, author):
    "What an export asks of git leaves the index as it is, so that the export does not take itself for a person"
    from tlnb.git import git_left
    from tlnb.project import _state
    version(tmp_path/'p', 1)
    git(tmp_path/'p', 'init', '--quiet'); git(tmp_path/'p', 'add', '.'); git(tmp_path/'p', 'commit', '--quiet', '-m', 'a')
    os.utime(tmp_path/'p/whole/__init__.py', (1, 1))
    before = _state(tmp_path/'p')
    assert git_left(tmp_path/'p', ['whole/__init__.py', '.tlnb.json']) == [] and _state(tmp_path/'p') == before


def test_thresholds_of_whole_numbers_with_gaps(monkeypatch):
    "0 and 1 beside missing cells are groups, whatever type the column came in; ranges are not"
    import numpy as np, pandas as pd
    from tlnb.groups import group_names
    from tlnb.thresholds import thresholds_of
    rng = np.random.default_rng(0)
    def run(cells, groups):
        n = len(cells)
        ds = SimpleNamespace(classes=['no', 'yes'], y=rng.integers(0, 2, n), groups=pd.DataFrame(dict(k=groups)), frame=pd.DataFrame(dict(k=cells)))
        return SimpleNamespace(dataset=ds, best=('a', 0), predictions=lambda *_: dict(valid_rows=np.arange(n), valid=np.stack([p := rng.random(n), 1 - p], 1)), recipe=SimpleNamespace(bias=SimpleNamespace(limit=.1, min_group=20, strength=1)))
    cells = np.array([0., 1., np.nan]*100)
    for groups in (group_names(cells), np.array(['0', '1', '(missing)']*100)): assert set(thresholds_of(run(cells, groups))['groups']) == set(groups)
    many = rng.random(300)
    with pytest.raises(RecipeError, match='made into ranges'): thresholds_of(run(many, group_names(many)))


@pytest.mark.parametrize('attribute', ['sex', 'job'], ids=['beside the inputs', 'an input'])
def test_each_row_has_to_say_what_a_threshold_asks_for(tmp_path, attribute):
    "A row that lacks the key is refused though another has it, in a list, an iterator and a file; a cell that is there and empty is missing, and so is any other key that a row lacks"
    import numpy as np
    from tlnb.light import Model
    from tlnb.tabular.light import from_spec
    spec = dict(columns=[dict(name='job', kind='categorical', categories=['clerk', 'pilot']), dict(name='town', kind='categorical', categories=['A'])], extra=['sex'])
    (tmp_path/'model.json').write_text(json.dumps(dict(classes=['no', 'yes'], task='classification', target=None, spec=spec,
        thresholds=dict(attribute=attribute, positive='yes', groups={'f': .4, 'clerk': .4, '(missing)': .4}, other=.9))))
    network = SimpleNamespace(get_inputs=lambda: [SimpleNamespace(name='x_cat')], run=lambda names, x: [np.zeros((len(x['x_cat']), 2))])
    model = Model(tmp_path, from_spec, lambda folder: network)
    row = dict(job='clerk', town='A', sex='f')
    without = lambda *keys: {k: v for k,v in row.items() if k not in keys}
    assert [o['label'] for o in model.predict([row, {**row, attribute: None}, without('town'), {**row, attribute: 'x'}])] == ['yes', 'yes', 'yes', 'no']
    bad = [row, row, without(attribute)]
    (tmp_path/'a.json').write_text(json.dumps(bad)); (tmp_path/'a.jsonl').write_text('\n'.join(map(json.dumps, bad)))
    for items in (bad, bad[::-1], iter(bad), [row]*model.inputs.step + bad, [without(attribute)], str(tmp_path/'a.json'), str(tmp_path/'a.jsonl')):
        with pytest.raises(ValueError, match=f"the threshold depends on '{attribute}': give it with each item"): model.predict(items)
    assert model.predict_proba(bad).shape == (3, 2)


@pytest.mark.parametrize('place', ['nbs', 'tests', 'images', 'dist', 'dist/.rows', 'whole', 'whole/sub', 'whole/core.py'])
def test_a_link_that_leads_out_of_the_project(tmp_path, place):
    "Refused in a line, dry or not, and nothing is written where it leads; a link that stays inside is the owner's own affair"
    out,to = tmp_path/'out',tmp_path/'p'
    version(to, 1)
    shutil.rmtree(to/place, ignore_errors=True)
    out.mkdir(); (out/'a').write_text('theirs')
    for where in (out/'a' if place.endswith('.py') else out, '../out', to/'nbs'):
        (to/place).parent.mkdir(exist_ok=True)
        (to/place).symlink_to(where if '/' not in place or where != '../out' else '../../out')
        for dry in (True, False):
            with pytest.raises(StoreError, match='a link leads out of the project: [^\n]*; put there what it leads to'):
                with staged(to, 'whole', dry) as p: p.write(f'{place}/x', 'ours')
        (to/place).unlink()
    assert [o.name for o in out.iterdir()] == ['a'] and (out/'a').read_text() == 'theirs'
    (to/'real').mkdir()
    (to/place).symlink_to('../real' if '/' in place else 'real')
    with staged(to, 'whole') as p: p.write('real/x', 'ours'); p.finish({})
    assert (to/place/'x').read_text() == 'ours'


@pytest.mark.parametrize('command', ['export out --name who-buys', 'compare a b', 'run tabular', 'doctor'])
def test_a_folder_that_is_gone(tmp_path, monkeypatch, capsys, command):
    "One line where the folder in which one stands was removed"
    from tlnb.cli import main
    (tmp_path/'gone').mkdir()
    monkeypatch.chdir(tmp_path/'gone')
    (tmp_path/'gone').rmdir()
    assert main(command.split()) == 2
    err = capsys.readouterr().err
    assert err.startswith('tlnb: the folder in which you stand is not there any more: ') and err.count('\n') == 1


def test_the_card_reads_the_saved_notebook(tmp_path, monkeypatch):
    "What a person wrote there stands on the card as soon as it is saved, and the card says from where it is read; a notebook of another recipe says nothing"
    import nbformat
    from nbformat.v4 import new_code_cell as code, new_markdown_cell as text, new_notebook
    from tlnb.card import card
    from tlnb.recipe import Recipe
    recipe,at = Recipe.for_tabular(data='people.csv', target='bought'),tmp_path/'home'/'mine.ipynb'
    folder = RunFolder(tmp_path/'home'/'tlnb-runs'/'people-1')
    folder.create('0123456789abcdef', dict(modality='tabular', recipe=recipe.to_dict()))
    def save(use, path=at, recipe=recipe):
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(new_notebook(cells=[code(recipe.to_cell()), text(f'### Intended use\n\n{use}')]), path)
    save('*To be written by a person:* Who?')
    monkeypatch.delenv('JPY_SESSION_NAME', raising=False)
    assert card(folder).notebook is None and 'from the saved notebook when a package is exported' in card(folder)._repr_markdown_()
    monkeypatch.setenv('JPY_SESSION_NAME', str(at))
    assert 'Not written yet: Intended use, ' in (shown := card(folder)._repr_markdown_()) and 'from `mine.ipynb` as it was saved last' in shown
    save('Second opinion of the clerks.')
    page = card(folder)
    assert 'Second opinion' in page.text and 'use' not in page.open_parts and 'Not written yet: Out of scope' in page._repr_markdown_() and 'Not written yet' not in (folder.path/'card.md').read_text()
    save('Of another model.', recipe=Recipe.for_tabular(data='people.csv', target='bought', train_epochs=9))
    assert 'Of another' not in card(folder).text
    save('What `tlnb run` left, as somebody edits it.', folder.path.parent/'notebook.ipynb')
    assert 'as somebody edits it' in card(folder).text
    at.write_text('{')
    (folder.path.parent/'notebook.ipynb').write_text('[]')
    assert 'as somebody edits it' in card(folder).text and card(folder).notebook is None


def test_what_a_next_version_would_say(tmp_path, monkeypatch):
    "Drafted from the run and the last release alone: the project is not opened, so that nothing waits for it"
    from importlib import import_module
    from tlnb.worker import answer
    export,finished = (import_module(f'tlnb.{o}') for o in ('export', 'finished'))
    said = dict(fingerprint='a', rows=225, recipe={'train.epochs': 3}, arm='simple', scores=dict(accuracy=.7), verdict='helped', bias='pass')
    monkeypatch.setattr(finished, 'found', lambda notebook: (f'run of {notebook}', None))
    monkeypatch.setattr(export, 'about', lambda run: said | dict(recipe={'train.epochs': 4}) if run == 'run of n.ipynb' else None)
    def news(): return answer(dict(work='news', notebook='n.ipynb', to=str(tmp_path)), print)
    assert news() == dict(result=dict(changes=['First version.']))
    (tmp_path/'.tlnb.json').write_text(json.dumps(dict(name='p', basis=said)))
    assert news() == dict(result=dict(changes=['Recipe: `train.epochs` 3 → 4.']))
    monkeypatch.undo()
    (tmp_path/'n.ipynb').write_text('{}')
    assert list(answer(dict(work='news', notebook=str(tmp_path/'n.ipynb'), to=str(tmp_path)), print)) == ['error']


# What a package is given

SCALE = dict(part='', median=40., bend=0., mean=40., std=10.)
TABLE = dict(columns=[dict(name='age', kind='continuous', scales=[SCALE], categories=[], flag=True), dict(name='job', kind='categorical', scales=[], categories=['clerk', 'craft'], flag=False)])

def package(folder):
    "A package for tables without a network: its answer depends on all that the network would see"
    import numpy as np
    from tlnb.light import Model
    from tlnb.tabular.light import from_spec
    folder.mkdir(exist_ok=True)
    (folder/'model.json').write_text(json.dumps(dict(classes=['no', 'yes'], task='classification', target=None, spec=TABLE, reference={}, card='# Model card\n' + 'so\n'*50_000)))
    class Network:
        def get_inputs(self): return [SimpleNamespace(name=o) for o in ('x_cat', 'x_cont')]
        def run(self, outputs, x): return [np.stack([0*x['x_cont'][:, 0], x['x_cont'][:, 0] + 3*x['x_cat'][:, 0]], 1)]
    return Model(folder, from_spec, lambda folder: Network())


def test_columns_as_pandas_writes_them(tmp_path):
    "Every way in which pandas writes a frame gives the frame's answers, or is refused in a line; never an answer about something else"
    import pandas as pd
    model = package(tmp_path/'p')
    frame = pd.DataFrame(dict(age=[25., 60., None], job=['clerk', 'pilot', 'craft'], more=['a', 'b', 'c']), index=[7, 3, 5])
    right = model.predict(frame)
    assert len({o['probability'] for o in right}) == 3
    assert model.predict(frame.to_dict()) == model.predict(frame.to_dict('list')) == model.predict(frame.to_dict('series')) == model.predict(frame.to_dict('records')) == right
    def file(text, name='f.json'): (tmp_path/name).write_text(text); return tmp_path/name
    for how in ('columns', 'records'): assert model.predict(file(frame.to_json(orient=how, indent=2))) == model.predict(file(frame.to_json(orient=how))) == right, how
    assert model.predict(file(json.dumps(frame.astype(object).where(frame.notna(), None).to_dict('list')))) == right
    assert model.predict(file(frame.to_json(orient='records', lines=True))) == right
    assert model.predict(file('{"age": 25,\n "job": "clerk", "more": ["a"]}')) == model.predict(file('{"age": 25, "job": "clerk", "more": {"x": 1}}')) == right[:1] # nobody looks at more
    for how in ('split', 'index', 'table', 'values'):
        for items in (file(frame.reset_index(drop=True).to_json(orient=how)), *([frame.to_dict(how)] if how in ('split', 'index') else [])):
            with pytest.raises(ValueError, match='^(none of the columns of the model is there|columns of different|not a row)[^\n]*$'): model.predict(items)


@pytest.mark.parametrize('items, said', [([{'age': [25], 'job': 'clerk'}], "column 'age' holds a list"), ({'age': {'x': 3}, 'job': 'clerk'}, "column 'age' holds a dict"), ({'age': [25, 30], 'job': [['a'], 'b']}, "column 'job' holds a list"),
    ({'age': {0: 1, 1: 2}, 'job': {0: 'a'}}, "columns of different rows: 'age' and 'job'")], ids=['list', 'dict', 'column', 'rows'])
def test_what_is_no_cell(tmp_path, items, said):
    model = package(tmp_path/'p')
    for ask in (model.predict, model.predict_proba, model.check):
        with pytest.raises(ValueError) as e: ask(items)
        assert said in str(e.value) and '\n' not in str(e.value)


@pytest.mark.parametrize('top', [-1, 'a', 1.5, None, True])
def test_top(tmp_path, top):
    with pytest.raises(ValueError, match='^not a number of classes: top='): package(tmp_path/'p').predict(dict(age=3), top=top)


def test_a_package_reads_what_it_can_and_says_the_rest_in_a_line(tmp_path, capsys):
    "Whatever the file is"
    import gzip
    from tlnb.light import main
    model = package(tmp_path/'p')
    def run(*args):
        code = main(model, 'p', [str(o) for o in args])
        out,err = capsys.readouterr()
        assert code == 0 and not err or code == 2 and not out and err.startswith('p: ') and err.count('\n') == 1, (code, out[:99], err)
        return out or err
    def file(name, data): (tmp_path/name).write_bytes(data); return tmp_path/name
    table = 'age,job\n25,clerk\n'
    assert run(file('long.csv', f'age,job,more\n25,clerk,{"x"*200_000}\n'.encode())).count('\n') == 2
    assert run(file('digits.csv', f'age,job\n{"1"*5000},{"1"*5000}\n'.encode())).count('\n') == 2
    for name,data,said in (('open.csv', f'age,job\n25,"{"x"*2**25}'.encode(), 'no CSV: '), ('deep.json', b'['*100_000, 'no JSON: '), ('deep.jsonl', b'{"age": ' + b'['*100_000, 'no JSON: '), ('digits.json', b'[{"age": ' + b'1'*5000 + b'}]', 'no JSON: '),
            ('a.csv.gz', gzip.compress(table.encode()), 'is a gzip archive; give CSV'), ('a.xlsx', b'PK\x03\x04\x14', 'an Excel workbook'), ('a32.csv', table.encode('utf-32'), 'text in UTF-32'), ('b32.csv', table.encode('utf-32-be'), 'no text')):
        assert said in run(file(name, data)), name
    good = file('a.csv', table.encode())
    assert run(file('a16.csv', table.encode('utf-16'))) == run(good)
    assert 'several files: ' in run(good, good) and 'is a folder; name a file' in run(good, '--out', tmp_path) and 'cannot be' in run(good, '--out', '.')
    assert 'Exceeds the limit' in (e := pytest.raises(ValueError, model.predict, dict(job=10**5000)).value.args[0]) and '\n' not in e
    assert not list(tmp_path.glob('*.part'))


def test_whoever_reads_may_stop(tmp_path):
    "`python -m PKG … | head -1`: silent, as other tools are"
    import subprocess, sys
    package(tmp_path/'p')
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from test_export_edges import package; from tlnb.light import main; from pathlib import Path; sys.exit(main(package(Path({str(tmp_path/'p')!r})), 'p', sys.argv[1:]))"
    (tmp_path/'f.csv').write_text('age,job\n' + '25,clerk\n'*20_000)
    for args in ('--card', f"{tmp_path/'f.csv'}"):
        with subprocess.Popen([sys.executable, '-c', code, args], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
            p.stdout.readline(); p.stdout.close()
            assert p.stderr.read() == b'' and p.wait() == 141


def test_files_of_texts(tmp_path):
    "A file that is no file of texts is one line, not a text itself; a text may be long"
    import gzip
    from tlnb.text.light import from_spec
    inputs = from_spec(dict(column='said', pad=0, unknown=None, tokenizer={}, length=9))
    def texts(name, data):
        (tmp_path/name).write_bytes(data)
        return [inputs.text(o) for b in inputs.batches(str(tmp_path/name)) for o in b]
    table = 'said,more\nhello,1\n'
    assert texts('a.csv', table.encode()) == texts('b.csv', table.encode('utf-16')) == texts('c.jsonl', b'{"said": "hello"}') == ['hello']
    assert [len(o) for o in texts('d.csv', f'said\n{"x"*200_000}\n'.encode())] == [200_000]
    for name,data in (('e.csv.gz', gzip.compress(table.encode())), ('e.csv', gzip.compress(table.encode())), ('f.xlsx', b'PK\x03\x04'), ('g.csv', table.encode('utf-32')), ('h.json', b'[{"said": "hello"}]'), ('i.jsonl', b'['*100_000), ('j.csv', f'said\n"{"x"*2**25}'.encode())):
        with pytest.raises(ValueError, match=f'^no [^\n]*{name}') as e: texts(name, data)
        assert '\n' not in str(e.value), name


# Where it lies

@pytest.mark.parametrize('name, said', [('x'*300, 'the name is too long: xxxxxxxxxxxxxxxxxxxx… has 300 characters; use at most 100'), ('x'*101, 'the name is too long'), ('images', 'a folder of the project is called so'),
    ('Images', 'a folder of the project is called so'), ('?'*300, 'not a name for a package')])
def test_names_that_cannot_be(name, said, capsys):
    from tlnb.cli import main
    assert main(['export', 'nothing', '--name', name]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count('\n') == 1 and len(err) < 200


def test_a_folder_whose_name_is_too_long(tmp_path):
    from tlnb.export import export
    with pytest.raises(StoreError, match='the name is too long: '): export('nothing', name='whole', to=tmp_path/('y'*300))
    with pytest.raises(StoreError, match='the name is too long: '): version(tmp_path/('y'*250), 1)
    version(tmp_path/'p', 1, 'w'*100)


def test_modes_stay(tmp_path):
    "A project that nobody else may look into stays one, and so do its folders; judged rows are for their owner alone"
    from tlnb.portrait import keep_rows
    def mode(o): return oct(o.stat().st_mode & 0o777)
    def once(k):
        with staged(tmp_path/'p', 'whole') as p:
            p.write('whole/__init__.py', f'__version__ = "0.{k}.0"\n')
            p.write('whole/model.json', json.dumps(dict(compare=dict(name=f'whole 0.{k}.0'))))
            keep_rows(p.folder, 'whole', dict(ids=['a']))
            p.finish({})
    once(1)
    to = tmp_path/'p'
    usual = mode(to/'whole')
    assert mode(to) == usual and mode(to/'dist/.rows') == '0o700'
    to.chmod(0o700); (to/'whole').chmod(0o750)
    (to/'dist/.rows').chmod(0o755); (to/'dist/.rows/whole-0.1.0.json').chmod(0o644) # as earlier versions left them
    with staged(to, 'whole', dry=True) as p: keep_rows(p.folder, 'whole', dict(ids=['a']))
    assert mode(to/'dist/.rows/whole-0.1.0.json') == '0o644', 'a dry run changes nothing'
    once(2)
    assert [mode(to), mode(to/'whole'), mode(to/'dist/.rows')] == ['0o700', '0o750', '0o700']
    assert {o.name: mode(o) for o in (to/'dist/.rows').iterdir()} == {'whole-0.1.0.json': '0o600', 'whole-0.2.0.json': '0o600'}
    to.chmod(0o775)
    once(3)
    assert mode(to) == '0o775'
