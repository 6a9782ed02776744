"The wheel, built where there is no Node and used away from the checkout"
import json, os, re, subprocess, sysconfig, venv, zipfile

import pytest

pytestmark = pytest.mark.xdist_group('wheel')   # beside the browser tests: one wheel serves both


def test_content(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for name in ('tlnb/__init__.py', 'tlnb/defaults.ini', 'tlnb/templates/tabular/tabular.ipynb', 'tlnb/templates/tabular/template.json',
            'tlnb/templates/tabular/icon.svg', 'tlnb/report.schema.json', 'tlnb/tabular/modality.py'): assert name in names, name
    assert any(o.startswith('tlnb/shipped/') and o.endswith('.safetensors') for o in names)
    assert any(o.endswith('LICENSE') for o in names)
    for bad in ('settings.ini', '.ipynb_checkpoints', '__pycache__', 'tests/', 'nbs/'): assert not [o for o in names if bad in o], bad
    assert wheel.stat().st_size < 8_000_000


@pytest.fixture(scope='module')
def installed(wheel, tmp_path_factory):
    """A fresh environment with the wheel alone; what it depends on is lent from this one, since installing several GB again would show nothing
    more. Lent by a path: the .pth files of the lender do not count, so its own tlnb cannot be found there."""
    where = tmp_path_factory.mktemp('clean')
    venv.create(where, with_pip=False, symlinks=True)
    site = next(where.glob('lib/python*/site-packages'))
    with zipfile.ZipFile(wheel) as z: z.extractall(site)
    (site/'lent.pth').write_text(sysconfig.get_path('purelib') + '\n')
    script = where/'bin'/'tlnb'
    script.write_text(f'#!{where}/bin/python\nfrom tlnb.cli import main\nraise SystemExit(main())\n')
    script.chmod(0o755)
    empty = tmp_path_factory.mktemp('elsewhere')
    env = {k: v for k, v in os.environ.items() if not k.startswith(('TLNB_', 'PYTHON', 'VIRTUAL_ENV'))}
    def call(*command):
        done = subprocess.run([str(where/'bin'/command[0]), *command[1:]], cwd=empty, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout
    return call, where, empty


def test_import(installed):
    call, where, _ = installed
    assert call('python', '-c', 'import tlnb; print(tlnb.__file__)').startswith(str(where))


def test_entry_point(wheel):
    meta = zipfile.ZipFile(wheel)
    points = meta.read(next(o for o in meta.namelist() if o.endswith('entry_points.txt'))).decode()
    assert 'tlnb = tlnb.cli:main' in points


def test_commands(installed):
    call, where, empty = installed
    assert [o['name'] for o in json.loads(call('tlnb', 'templates', '--json'))] == ['tabular', 'text', 'vision']
    doctor = json.loads(call('tlnb', 'doctor', '--json'))
    assert doctor['ok'] and doctor['settings']['run.seed']['origin'] == 'default' and str(where) in doctor['python']
    assert any(o['name'] == 'loans' and o['offline'] for o in doctor['sources'])
    call('tlnb', 'new', 'tabular', 'mine.ipynb')
    assert (empty/'mine.ipynb').stat().st_size


def test_data_and_source(installed):
    "The embedded data and the shipped source work from the wheel"
    code = "from tlnb import load, Recipe; d = load(Recipe.for_tabular(data='loans', target='defaulted', source='loans')); print(d.n_train)"
    assert int(installed[0]('python', '-W', 'ignore', '-c', code)) > 100


def test_extension_in_wheel(wheel):
    "Once, where Jupyter looks for it"
    names = zipfile.ZipFile(wheel).namelist()
    shared = [o.split('.data/data/')[1] for o in names if '.data/data/' in o]
    assert 'etc/jupyter/jupyter_server_config.d/tlnb.json' in shared
    for name in ('package.json', 'install.json', 'static/style.js', 'schemas/tlnb/plugin.json'): assert f'share/jupyter/labextensions/tlnb/{name}' in shared, name
    assert len([o for o in shared if re.search(r'/static/remoteEntry\.\w+\.js$', o)]) == 1
    assert not [o for o in names if o.startswith('tlnb/labextension')]


def test_jupyter_finds_it(wheel, tmp_path):
    "JupyterLab and its server say OK of the wheel as pip installs it, without Node; uninstalled, nothing of it is left"
    where = tmp_path/'clean'
    venv.create(where, with_pip=True, symlinks=True)
    python = str(where/'bin'/'python')
    env = {k: v for k, v in os.environ.items() if not k.startswith(('TLNB_', 'PYTHON', 'VIRTUAL_ENV', 'JUPYTER', 'PIP_'))}
    env |= {'PATH': str(where/'bin'), 'HOME': str(tmp_path), 'JUPYTER_CONFIG_DIR': str(tmp_path/'config'), 'NO_COLOR': '1'}
    def call(*args):
        done = subprocess.run([python, '-W', 'ignore', '-m', *args], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return re.sub(r'\x1b\[[0-9;]*m', '', done.stdout + done.stderr)
    call('pip', 'install', '--quiet', '--no-index', '--no-deps', '--disable-pip-version-check', str(wheel))
    lent = next(where.glob('lib/python*/site-packages'))/'lent.pth'
    lent.write_text(sysconfig.get_path('purelib') + '\n')
    assert re.search(r'tlnb v\S+ enabled OK \(python, tlnb\)', call('jupyterlab.labextensions', 'list'))
    assert re.search(r'tlnb\.server\s+OK', call('jupyter_server.extension.serverextension', 'list'))
    lent.unlink()
    call('pip', 'uninstall', '--yes', '--quiet', 'tlnb')
    assert not [o for o in where.rglob('*') if 'tlnb' in str(o.relative_to(where))]
