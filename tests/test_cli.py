"The command line as a user meets it: one line for whatever is wrong, and nothing left behind"
import json, os, re, shutil, subprocess, sys, time
from contextlib import contextmanager
from pathlib import Path

import pytest

ROWS = ''.join(f'{i % 7},{"ab"[i % 2]},{["no", "yes"][i % 3 > 0]}\n' for i in range(60))
TABLE = 'age,kind,bought\n' + ROWS


def said_one_line(done):
    "The command refused: exit 2 and exactly one line, WHAT: WHERE; CURE"
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert re.fullmatch(r'tlnb: [^:]+: .+; .+', done.stderr.strip()), done.stderr
    assert not done.stdout
    return done.stderr


def write(path, content):
    path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content)
    return path


def two_gigabytes(path):
    "One line of 2 GB that takes no room on the disk"
    with open(path, 'wb') as f:
        f.write(TABLE.encode())
        f.truncate(2 * 2**30)
    return path


def folder(path):
    path.mkdir()
    return path


BAD_DATA = {
    'no file': (lambda p: p, 'people.csv'),
    'empty file': (lambda p: write(p, ''), 'empty'),
    'header only': (lambda p: write(p, 'age,kind,bought\n'), 'row'),
    'no such target': (lambda p: write(p, TABLE.replace('bought', 'buys')), 'bought'),
    'one class': (lambda p: write(p, TABLE.replace('no', 'yes')), 'class'),
    'target all missing': (lambda p: write(p, re.sub(r'(yes|no)\n', r'\n', TABLE)), 'bought'),
    'inputs all missing': (lambda p: write(p, re.sub(r'\d,[ab]', ',', TABLE)), 'people.csv'),
    'binary': (lambda p: write(p, bytes(range(256)) * 40), 'people.csv'),
    'ragged': (lambda p: write(p, TABLE.replace('\n3,b,', '\n3,b,x,', 1)), r'(row|line) \d+'),
    'a directory': (folder, 'people.csv'),
    '2 GB line': (two_gigabytes, 'people.csv'),
}


@pytest.mark.parametrize('case', BAD_DATA)
def test_bad_data(tlnb, tmp_path, case):
    make, names = BAD_DATA[case]
    path = make(tmp_path/'people.csv')
    done = tlnb('run', 'tabular', '--data', path, '--target', 'bought', '--out', tmp_path/'out', timeout=60)
    assert re.search(names, said_one_line(done))
    assert not (tmp_path/'out').exists()


BAD_REQUESTS = {
    'no command': ([], 'COMMAND'),
    'unknown command': (['rnu'], 'rnu'),
    'unknown option': (['run', 'tabular', '--dta', 'x.csv'], '--dta'),
    'nothing to run': (['run'], 'nothing to run'),
    'no such template': (['run', 'tabluar'], "'tabular'"),
    'no such notebook': (['run', 'x.ipynb'], 'no such file: x.ipynb; check the path, or name a template: '),
    'no such recipe': (['run', 'x.toml'], 'no such file: x.toml; check the path, or name a template: '),
    'not a notebook': (['run', 'text.ipynb'], 'not a notebook'),
    'notebook without recipe': (['run', 'none.ipynb'], 'no recipe cell'),
    'not a recipe': (['run', 'text.toml'], 'text.toml'),
    'unknown key': (['run', 'tabular', '--set', 'train.epoch=3'], 'train.epochs'),
    'a key like none': (['run', 'tabular', '--set', 'zzzz=1'], '; all settings are in '),
    'bad value': (['run', 'tabular', '--set', 'train.epochs=many'], 'train.epochs'),
    'no value': (['run', 'tabular', '--set', 'train.epochs', 'run.seeds=1'], 'train.epochs'),
    'bad seed': (['run', 'tabular', '--seed', '-1'], 'run.seed'),
    'run folder': (['run', 'tabular', '--set', 'run.folder=x'], '--out'),
    'resume nothing': (['run', 'tabular', '--resume'], '--out'),
    'new over a file': (['new', 'tabular', 'text.ipynb'], 'text.ipynb; choose another name, or overwrite it with --force'),
    'name too long': (['run', 'tabular', '--set', 'run.seeds=1', '--out', 'a'*260], 'the name is too long'),
    'no such modality': (['sources', '--modality', 'bogus'], "unknown modality: 'bogus'; known: tabular, vision, text"),
    'no such source': (['run', 'tabular', '--source', 'laons'], 'loans'),
}


@pytest.mark.parametrize('case', BAD_REQUESTS)
def test_bad_request(tlnb, tmp_path, case):
    args, names = BAD_REQUESTS[case]
    for name in ('text.ipynb', 'text.toml'): write(tmp_path/name, 'neither')
    write(tmp_path/'none.ipynb', json.dumps(dict(cells=[], metadata={}, nbformat=4, nbformat_minor=5)))
    before = sorted(tmp_path.iterdir())
    if args[:1] == ['run'] and not {'--resume', '--out'} & set(args): args = [*args, '--out', tmp_path/'out']
    done = tlnb(*args, cwd=tmp_path, timeout=60)
    assert names in said_one_line(done) and len(done.stderr) < 400
    assert sorted(tmp_path.iterdir()) == before


def test_out_not_empty(tlnb, tmp_path):
    write(tmp_path/'mine.txt', 'mine')
    for args, names in (([], 'not empty'), (['--resume'], 'no run to resume')):
        assert names in said_one_line(tlnb('run', 'tabular', '--out', tmp_path, *args, timeout=60))
    assert [o.name for o in tmp_path.iterdir()] == ['mine.txt']


def test_out_under_a_file(tlnb, tmp_path):
    said_one_line(tlnb('run', 'tabular', '--out', write(tmp_path/'file', '')/'out', timeout=60))
    said_one_line(tlnb('run', 'tabular', '--out', tmp_path/'file', timeout=60))


@pytest.mark.skipif(not Path('/proc/self').exists(), reason='needs /proc, in which not even root may make a folder')
def test_out_unwritable(tlnb):
    said = said_one_line(tlnb('run', 'tabular', '--out', '/proc/out', timeout=60))
    assert said == 'tlnb: no folder can be made here: /proc/out; choose another with --out\n'


@contextmanager
def small_disk(path, size, options='rw'):
    path.mkdir()
    mounted = subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size},{options}', 'tmpfs', path], capture_output=True) if shutil.which('mount') else None
    if mounted is None or mounted.returncode: pytest.skip('only root may mount a small disk')
    try: yield path
    finally: subprocess.run(['umount', '-l', path], check=True)


@pytest.mark.parametrize('size,options', [('64k', 'rw'), ('64m', 'ro')])
def test_disk_refuses(tlnb, tmp_path, size, options):
    with small_disk(tmp_path/'disk', size, options) as disk:
        said_one_line(tlnb('run', 'tabular', '--out', disk/'out', timeout=60))
        assert not list(disk.iterdir())


def test_disk_gets_full(tlnb, tmp_path, tiny):
    "A disk that fills up while the run is under way: one line about the disk last, and every file on it is whole"
    with small_disk(tmp_path/'disk', '21m') as disk:
        write(disk/'other', bytes(300_000))
        code = f"open({str(disk/'filler')!r}, 'wb', 0).write(bytes(30_000_000))"
        nb = json.loads(tiny.read_text())
        at = next(i for i, o in enumerate(nb['cells']) if 'adapt(' in ''.join(o['source']))
        nb['cells'].insert(at, dict(cell_type='code', id='fill', metadata={}, outputs=[], execution_count=None, source=code))
        done = tlnb('run', write(tmp_path/'nb.ipynb', json.dumps(nb)), '--out', disk/'out')
        last = done.stderr.splitlines()[-1]
        assert done.returncode == 2 and 'disk' in last and last.startswith('tlnb: '), done.stderr
        assert 'Traceback' not in done.stderr
        for path in disk.rglob('*.json'): json.loads(path.read_text())


def begin(*args, cwd=None):
    "`tlnb run` in the background"
    from conftest import ROOT
    env = {**{k: v for k, v in os.environ.items() if not k.startswith('TLNB_')}, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    command = [sys.executable, '-c', 'from tlnb.cli import main; raise SystemExit(main())', 'run', *map(str, args)]
    return subprocess.Popen(command, cwd=cwd, env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def there(process, folder, pattern):
    "Wait until a file of this name is there"
    end = time.monotonic() + 120
    while not list(folder.glob(pattern)) and process.poll() is None and time.monotonic() < end: time.sleep(.005)


def test_disk_gets_full_while_it_trains(tlnb, tmp_path, tiny):
    "Full after the first piece: one line about the disk last; with room again, --resume finishes"
    with small_disk(tmp_path/'disk', '40m') as disk:
        args = [tiny, '--out', disk/'out', '--set', 'run.seeds=3', 'train.epochs=80', 'train.patience=80']
        process = begin(*args)
        there(process, disk, 'out/run/arms/*/seed-*/result.json')
        with pytest.raises(OSError), open(disk/'filler', 'wb', 0) as f:
            while True: f.write(bytes(4096))
        _, err = process.communicate(timeout=120)
        assert process.returncode == 2 and re.match('tlnb: the disk is full: .+; free some space', err.splitlines()[-1]) and 'Traceback' not in err, err
        (disk/'filler').unlink()
        done = tlnb('run', *args, '--resume')
        assert done.returncode == 0 and not json.loads((disk/'out'/'report.json').read_text())['stopped'], done.stderr


def test_stopped_and_resumed(tlnb, tmp_path, tiny):
    "A file `run/stop`: exit 130, one line, a report that says so; --resume comes to the figures of a run that was never stopped"
    write(tiny.parent/'more.csv', TABLE + ROWS*4)
    args, out = [tiny, '--set', 'source.data=more.csv', 'run.seeds=2', 'train.epochs=40', 'train.patience=40', '--out'], tmp_path/'out'
    whole = tlnb('run', *args, tmp_path/'whole', cwd=tiny.parent)
    assert whole.returncode == 0, whole.stderr
    before, said = json.loads((tmp_path/'whole'/'report.json').read_text()), dict(skipped='the run was stopped before')
    for when, judged in (('source/history.json', False), ('arms/feature_extraction/seed-0/result.json', True)): # before anything is there, and in the middle
        process = begin(*args, out, *(['--resume'] if judged else []), cwd=tiny.parent)
        there(process, out, f'run/{when}')
        (out/'run'/'stop').touch()
        _, err = process.communicate(timeout=120)
        assert process.returncode == 130 and err.splitlines()[-1] == 'tlnb: stopped before everything was trained: the run is kept; --resume goes on from it', err
        r = json.loads((out/'report.json').read_text())
        assert r['stopped'] and not before['stopped'] and any('was stopped' in o for o in r['notes']) and 'the run was stopped before' in r['transfer']['reason']
        assert all(r['arms'][k] == said for k in ('majority', 'simple', 'from_scratch', 'fine_tuning')) and r['transfer']['verdict'] == 'not_applicable'
        assert ('value' in r['arms']['feature_extraction']) == judged
        page = (out/'report.html').read_text()
        assert '>stopped</span> The run was stopped before' in page[:page.index('<nav')]
    done = tlnb('run', tiny, '--out', out, '--resume', cwd=tiny.parent)
    assert done.returncode == 0 and not (out/'run'/'stop').exists(), done.stderr
    r = json.loads((out/'report.json').read_text())
    figures = lambda info: {k: [o[n] for n in ('value', 'interval', 'metrics', 'by_seed', 'epochs')] for k, o in info['arms'].items()}
    assert figures(r) == figures(before) and not r['stopped'] and not any('stopped' in o for o in r['notes'])
    assert [r['transfer'][k] for k in ('verdict', 'gain', 'interval', 'reason')] == [before['transfer'][k] for k in ('verdict', 'gain', 'interval', 'reason')]
    assert 'The run was stopped' not in (out/'report.html').read_text()


@pytest.fixture
def tiny(tmp_path):
    "A user's own notebook beside its data: the shortest that makes a run"
    home = folder(tmp_path/'home')
    write(home/'people.csv', TABLE)
    from nbformat import write as save
    from nbformat.v4 import new_code_cell as code, new_markdown_cell as text, new_notebook
    cells = [text('## Mine'), code('from tlnb import Recipe, adapt, evaluate, load'), code(
        'recipe = Recipe.for_tabular(data="people.csv", target="bought",  # my data\n    run_seeds=1, train_epochs=2, run_jobs=1, transfer_labels_needed=False)'),
        text('### Train'), code('run = adapt(load(recipe), recipe)'), code('evaluate(run)')]
    save(new_notebook(cells=cells), home/'nb.ipynb')
    return home/'nb.ipynb'


def test_own_notebook(tlnb, tmp_path, tiny):
    "Runs at home, is not changed, and is copied with its comments; all that --out promises is there"
    before = tiny.read_text()
    done = tlnb('run', tiny, '--set', 'train.epochs=1', '--out', 'filled', '--json', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    out = tmp_path/'filled'
    assert tiny.read_text() == before and sorted(o.name for o in tiny.parent.iterdir()) == ['nb.ipynb', 'people.csv']
    report = json.loads(done.stdout)
    assert report == json.loads((out/'report.json').read_text()) and report['transfer']['verdict'] == 'not_applicable'
    assert {o.name for o in out.iterdir()} == {'notebook.ipynb', 'report.html', 'report.json', 'run'}
    assert {'notebook.ipynb', 'recipe.toml', 'run.json'} <= {o.name for o in (out/'run').iterdir()}
    source = ''.join(json.loads((out/'notebook.ipynb').read_text())['cells'][2]['source'])
    assert '# my data' in source and 'train_epochs=1' in source and str(tiny.parent/'people.csv') in source
    assert re.search(r'^\d+/\d+  Mine: Train', done.stderr, re.M)
    again = tlnb('run', tiny, '--out', out, '--resume')
    assert again.returncode == 0 and 'Nothing to resume' not in again.stderr, again.stderr
    later = json.loads((out/'report.json').read_text())
    assert later['arms'] == report['arms'] and later['recipe']['train']['epochs'] == 1


def test_recipe_file(tlnb, tmp_path, tiny):
    "A recipe is run in the template of its modality, and nothing of the template's example is left in it; a folder without a run is begun, and that is said"
    recipe = '\n'.join(['modality = "tabular"', '[data]', 'path = "people.csv"', 'target = "bought"', '[run]', 'seeds = 1', 'jobs = 1',
        '[train]', 'epochs = 1', '[transfer]', 'labels_needed = false', '[explain]', 'items = 1'])
    done = tlnb('run', write(tiny.parent/'r.toml', recipe), '--out', folder(tmp_path/'out'), '--resume')
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[0] == f"Nothing to resume in {tmp_path/'out'}: a new run begins."
    report = json.loads((tmp_path/'out'/'report.json').read_text())
    assert report['recipe']['data']['path'] == str(tiny.parent/'people.csv') and report['source'] is None and report['bias'] is None


def test_error_in_a_cell(tlnb, tmp_path, tiny):
    "A cell that fails is nobody's request: exit 3, where the traceback lies, and the run so far is kept"
    nb = json.loads(tiny.read_text())
    nb['cells'].append(dict(cell_type='code', id='oops', metadata={}, outputs=[], execution_count=None, source='1/0'))
    done = tlnb('run', write(tiny.parent/'bad.ipynb', json.dumps(nb)), '--out', tmp_path/'out')
    assert done.returncode == 3 and done.stderr.splitlines()[-1].startswith('tlnb: ZeroDivisionError')
    kept = json.loads((tmp_path/'out'/'notebook.ipynb').read_text())['cells'][-1]
    assert kept['outputs'][0]['ename'] == 'ZeroDivisionError' and (tmp_path/'out'/'run'/'run.json').exists()


def test_interrupt(tmp_path, tiny):
    "Ctrl-C while it trains: exit 130, one line, no kernel left, and --resume goes on"
    import signal, time
    from conftest import ROOT
    nb = json.loads(tiny.read_text())
    nb['cells'].append(dict(cell_type='code', id='wait', metadata={}, outputs=[], execution_count=None,
        source='import time, os\nprint(os.getpid(), flush=True)\nopen("started", "w").write(str(os.getpid()))\ntime.sleep(0 if os.path.exists("go") else 600)'))
    write(tiny.parent/'slow.ipynb', json.dumps(nb))
    command = [sys.executable, '-c', 'from tlnb.cli import main; raise SystemExit(main())', 'run', str(tiny.parent/'slow.ipynb'), '--out', str(tmp_path/'out')]
    env = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=env)
    started = tiny.parent/'started'
    while not (started.exists() and started.read_text()) and process.poll() is None: time.sleep(.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and err.splitlines()[-1].startswith('tlnb: interrupted'), err
    with pytest.raises(ProcessLookupError): os.kill(int(started.read_text()), 0)
    write(tiny.parent/'go', '')
    done = subprocess.run([*command, '--resume'], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_new(tlnb, tmp_path):
    "A notebook from a template; never over another unless forced"
    assert tlnb('new', 'tabular', 'mine.ipynb', cwd=tmp_path).returncode == 0
    write(tmp_path/'mine.ipynb', 'mine')
    said_one_line(tlnb('new', 'tabular', 'mine.ipynb', cwd=tmp_path))
    assert (tmp_path/'mine.ipynb').read_text() == 'mine'
    assert tlnb('new', 'tabular', 'mine.ipynb', '--force', cwd=tmp_path).returncode == 0
    assert json.loads((tmp_path/'mine.ipynb').read_text())['cells']


def test_lists(tlnb, tmp_path):
    found = json.loads(tlnb('templates', '--json', cwd=tmp_path).stdout)
    assert found[0]['name'] == 'tabular' and {'name', 'title', 'modality', 'steps'} <= found[0].keys()
    found = json.loads(tlnb('sources', '--modality', 'tabular', '--json', cwd=tmp_path).stdout)
    assert {'name', 'origin', 'parameters', 'size_bytes', 'licence', 'trained_on', 'year', 'offline'} <= found[0].keys()
    assert 'loans' in tlnb('sources', cwd=tmp_path).stdout
    assert {'tickets', 'all-MiniLM-L6-v2'} <= {o['name'] for o in json.loads(tlnb('sources', '--modality', 'text', '--json', cwd=tmp_path).stdout)}


def test_doctor(tlnb, tmp_path):
    "Each value with whence it came; a torch that cannot be imported is a finding, not a crash"
    write(tmp_path/'tlnb.ini', '[train]\nepochs = 7\n')
    done = tlnb('doctor', '--json', cwd=tmp_path, TLNB_RUN_SEEDS='2')
    found = json.loads(done.stdout)
    assert done.returncode == 0 and found['ok'], done.stdout
    settings = found['settings']
    assert settings['train.epochs']['value'] == '7' and 'tlnb.ini' in settings['train.epochs']['origin']
    assert settings['run.seeds']['value'] == '2' and 'TLNB_RUN_SEEDS' in settings['run.seeds']['origin']
    assert settings['bias.limit']['origin'] == 'default'
    write(folder(tmp_path/'torch')/'__init__.py', 'raise ImportError("libfoo.so: no such file")')
    from conftest import ROOT
    done = tlnb('doctor', cwd=tmp_path, PYTHONPATH=f'{tmp_path}{os.pathsep}{ROOT}')
    assert done.returncode == 1 and 'libfoo.so' in done.stdout and 'Traceback' not in done.stderr


def test_help_is_light():
    "`tlnb --help` and `tlnb templates` load nothing heavy"
    code = ("import sys; sys.argv=['tlnb','templates']\nfrom tlnb.cli import main; main()\n"
        "heavy = {'torch','fastai','pandas','numpy','shap','sklearn','IPython'} & {o.split('.')[0] for o in sys.modules}\nassert not heavy, heavy")
    from conftest import ROOT
    done = subprocess.run([sys.executable, '-c', code], env={**os.environ, 'PYTHONPATH': str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
