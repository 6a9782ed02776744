"What all tests share: the command, the real data, a shelter from the user's own settings"
import os, shutil, subprocess, sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def own_settings(monkeypatch):
    "No test sees settings that the environment of whoever runs it has"
    for key in [o for o in os.environ if o.startswith('TLNB_') and o != 'TLNB_TEST_DATA']: monkeypatch.delenv(key)


@pytest.fixture
def one_thread():
    "Sums come in the same order every time"
    import torch
    n = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n)


@pytest.fixture(scope='session')
def data_dir():
    "Folder with real data, which is no part of this repository (see CONTRIBUTING.md)"
    folder = os.environ.get('TLNB_TEST_DATA')
    if not folder: pytest.skip('TLNB_TEST_DATA is not set')
    assert Path(folder).is_dir(), f'TLNB_TEST_DATA names no folder: {folder}'
    return Path(folder)


@pytest.fixture(scope='session')
def tlnb():
    "The command in a process of its own: `tlnb('run', ..., cwd=...)` gives the completed process"
    def call(*args, cwd=None, timeout=540, **env):
        command = [sys.executable, '-c', 'from tlnb.cli import main; raise SystemExit(main())', *map(str, args)]
        clean = {k: v for k, v in os.environ.items() if not k.startswith('TLNB_')}
        return subprocess.run(command, cwd=cwd, timeout=timeout, capture_output=True, text=True,
            env={**clean, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1', **env})
    return call


@pytest.fixture(scope='session')
def wheel(tmp_path_factory):
    "The wheel, built where there is no Node"
    for name in ('hatchling', 'hatch_jupyter_builder'): pytest.importorskip(name)
    if not (ROOT/'tlnb/labextension/static/style.js').exists(): pytest.skip('the extension is not built: make lab')
    to, tools = tmp_path_factory.mktemp('dist'), tmp_path_factory.mktemp('tools')
    for name in ('git', 'sh', 'env'):
        if path := shutil.which(name): (tools/name).symlink_to(path)
    done = subprocess.run([sys.executable, '-m', 'hatchling', 'build', '-t', 'wheel', '-d', str(to)], cwd=ROOT, env={**os.environ, 'PATH': str(tools)},
        capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(to.glob('*.whl'))

@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    "Tests that share a fixture of their module run in one worker, so that it is made once"
    for o in items:
        made = (o._fixtureinfo.name2fixturedefs.get(name, [None])[-1] for name in o.fixturenames)
        if not o.get_closest_marker('xdist_group') and any(f and f.scope == 'module' for f in made): o.add_marker(pytest.mark.xdist_group(o.module.__name__))
