"The template where our extension is not: nbclient, papermill, Voilà"
import json, subprocess, sys, time
from pathlib import Path

import nbformat
import pytest

import lab
from conftest import ROOT

PANELS = 'Source', 'Data', 'Strategy', 'Training', 'Report', 'Bias check'
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    "The template in a folder of its own, with settings that cost little"
    from tlnb.gallery import new
    folder = tmp_path_factory.mktemp('elsewhere')
    (folder/'tlnb.ini').write_text(lab.QUICK)
    new('tabular', folder/'tabular.ipynb')
    return folder


def env(home):
    return {**lab.environment(home), 'PYTHONPATH': str(ROOT)}


def complete(nb):
    "Everything ran, every panel left its text, and nothing of ours complained"
    assert not [o for c in nb.cells if c.cell_type == 'code' for o in c.outputs if o.output_type == 'error']
    assert all(c.execution_count for c in nb.cells if c.cell_type == 'code')
    shown = [o.data for c in nb.cells if c.cell_type == 'code' for o in c.outputs if o.output_type in ('display_data', 'execute_result')]
    panels = [o for o in shown if 'application/vnd.jupyter.widget-view+json' in o]
    for title in PANELS: assert any(f'<div class="tlnb-title">{title}</div>' in ''.join(o['text/html']) for o in panels), title
    assert any('Done in' in ''.join(o['text/html']) for o in panels), 'the training panel says how it ended'
    said = [o.text for c in nb.cells if c.cell_type == 'code' for o in c.outputs if o.output_type == 'stream' and o.name == 'stderr']
    assert not said, said


@pytest.mark.parametrize('with_', ['nbclient', 'papermill'])
def test_executed(folder, tmp_path, with_):
    out = tmp_path/'out.ipynb'
    command = dict(nbclient=['-m', 'jupyter', 'execute', '--output', str(out), 'tabular.ipynb'],
        papermill=['-m', 'papermill', '--no-progress-bar', 'tabular.ipynb', str(out)])[with_]
    if with_ == 'papermill': pytest.importorskip('papermill')
    (tmp_path/'home').mkdir()
    done = subprocess.run([sys.executable, *command], cwd=folder, env=env(tmp_path/'home'), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    complete(nbformat.read(out, 4))


@pytest.mark.skipif(not lab.CHROMIUM, reason='needs chromium')
def test_voila(folder, tmp_path):
    "The panels live in a page without cells; what cannot be written is shown as code to copy"
    pytest.importorskip('voila')
    pytest.importorskip('playwright')
    (tmp_path/'home').mkdir()
    port = lab.free_port()
    with open(tmp_path/'log', 'wb') as log:
        p = subprocess.Popen([sys.executable, '-m', 'voila', '--no-browser', f'--port={port}', '--Voila.ip=127.0.0.1', 'tabular.ipynb'], cwd=folder, env=env(tmp_path/'home'),
            stdout=log, stderr=log)
    try:
        with lab.browser() as b:
            page,errors = b.new_page(),[]
            page.on('pageerror', lambda o: errors.append(str(o)))
            for _ in range(60):
                try: page.goto(f'http://127.0.0.1:{port}', timeout=300_000); break
                except Exception: time.sleep(1)
            for title in PANELS: page.locator('.tlnb-panel[role=region]').filter(has=page.locator('.tlnb-title', has_text=title)).first.wait_for(timeout=300_000)
            page.get_by_text('Pass the gate').wait_for(timeout=300_000)
            panel = page.locator('.tlnb-panel[role=region]').filter(has=page.locator('.tlnb-title', has_text='Source')).first
            panel.get_by_role('button', name='None: train without a source').click()
            panel.get_by_role('button', name='Write to notebook').click()
            panel.get_by_text('copy the call below').wait_for()
            assert 'source="loans"' not in panel.locator('pre').inner_text() and 'Recipe.for_tabular' in panel.locator('pre').inner_text()
            assert not errors, errors
            assert not page.get_by_text('Error displaying widget').count()
    finally:
        p.terminate()
        p.wait(30)
