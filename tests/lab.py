"A real JupyterLab with the wheel installed, and a browser that drives it as a user would"
import json, os, shutil, socket, subprocess, sys, sysconfig, time, urllib.error, urllib.request, venv
from contextlib import contextmanager
from pathlib import Path

FLAGS = ('--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync '
    '--force-prefers-reduced-motion').split()
QUIET = {'@jupyterlab/apputils-extension:notification': {'fetchNews': 'false', 'checkForUpdates': False}}
LENT = 'share/jupyter/lab', 'share/jupyter/labextensions/anywidget', 'share/jupyter/labextensions/@jupyter-widgets', 'share/jupyter/nbconvert', 'share/jupyter/voila'
CHROMIUM = next(filter(None, map(shutil.which, ('chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'))), None)   # the shell costs a fraction
# settings of a run that costs little, for a tlnb.ini
QUICK = ('[run]\nseeds = 2\njobs = 1\n[train]\nepochs = 6\nhead_epochs = 2\n[transfer]\nlabels_needed = false\n[explain]\nitems = 2\nevaluations = 60\n'
    'background = 20\n[bias]\nbootstrap = 50\n')
READY = """async () => {
  const w = jupyterapp.shell.currentWidget;
  await w.context.ready; await w.sessionContext.ready; await w.sessionContext.session.kernel.info;
  return w.context.path; }"""
CELLS = """() => jupyterapp.shell.currentWidget.content.widgets.filter(o => o.model.type === 'code')
  .map(o => ({source: o.model.sharedModel.getSource(), state: o.model.executionState, count: o.model.executionCount, step: (o.model.getMetadata('tlnb') ?? {}).step ?? '',
    failed: o.model.outputs.toJSON().filter(x => x.output_type === 'error').map(x => x.evalue)}))"""


def install(wheel, where):
    "A fresh environment with the wheel as pip installs it; what it depends on is lent from this one. Its Python"
    where,lender = Path(where),Path(sys.prefix)
    venv.create(where, with_pip=True, symlinks=True)
    python = where/'bin'/'python'
    subprocess.run([python, '-m', 'pip', 'install', '--quiet', '--no-index', '--no-deps', '--disable-pip-version-check', str(wheel)], check=True)
    (next(where.glob('lib/python*/site-packages'))/'lent.pth').write_text(sysconfig.get_path('purelib') + '\n')
    for name in LENT:
        if not (lender/name).exists(): continue
        (where/name).parent.mkdir(parents=True, exist_ok=True)
        (where/name).symlink_to(lender/name)
    return python


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def environment(home):
    "As of a user who has just installed everything: no settings, no workspaces"
    env = {k: v for k,v in os.environ.items() if not k.startswith(('TLNB_', 'PYTHON', 'VIRTUAL_ENV', 'JUPYTER'))}
    (home/'lab-settings').mkdir(parents=True, exist_ok=True)
    return env | {'HOME': str(home), 'OMP_NUM_THREADS': '1', 'JUPYTERLAB_SETTINGS_DIR': str(home/'lab-settings'), 'JUPYTERLAB_WORKSPACES_DIR': str(home/'workspaces'),
        'JUPYTER_CONFIG_DIR': str(home/'config'), 'JUPYTER_DATA_DIR': str(home/'data'), 'JUPYTER_RUNTIME_DIR': str(home/'runtime')}


@contextmanager
def server(python, root, home, base='/', options=()):
    "JupyterLab on `root`; its address with the token"
    port,log = free_port(),open(home/'lab.log', 'wb')
    for app in QUIET:
        name,plugin = app.rsplit(':', 1)
        file = home/'lab-settings'/name/f'{plugin}.jupyterlab-settings'
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(QUIET[app]))
    p = subprocess.Popen([str(python), '-m', 'jupyterlab', '--no-browser', '--allow-root', f'--port={port}', '--ServerApp.port_retries=0', f'--ServerApp.base_url={base}',
        f'--ServerApp.root_dir={root}', '--IdentityProvider.token=secret', '--expose-app-in-browser', *options], cwd=root, env=environment(home), stdout=log, stderr=log)
    url = f'http://127.0.0.1:{port}{base}'
    try:
        for _ in range(240):
            assert p.poll() is None, (home/'lab.log').read_text()
            try: urllib.request.urlopen(f'{url}api/status?token=secret', timeout=5); break
            except (urllib.error.URLError, OSError): time.sleep(.5)
        yield url
    finally:
        p.terminate()
        try: p.wait(120) # its kernels end first, which takes a while on a busy machine
        finally:
            p.kill()
            log.close()

AXE = """async () => (await axe.run({include: [['.tlnb-panel[role=region]']]})).violations.filter(o => ['serious', 'critical'].includes(o.impact))
  .map(o => [o.id, o.nodes.map(n => n.html.slice(0, 200) + ' ' + (n.any[0]?.message ?? ''))])"""


class Page:
    "A tab with JupyterLab"
    def __init__(self, page, url):
        self.page,self.url,self.errors = page,url,[]
        page.on('console', lambda o: self.errors.append(o.text) if o.type == 'error' else None)
        page.on('pageerror', lambda o: self.errors.append(str(o)))
        page.set_default_timeout(60_000)

    def panels_are_accessible(self):
        "axe finds nothing serious in any panel, in either theme"
        self.page.add_script_tag(path=str(Path(__file__).resolve().parents[1]/'labextension'/'node_modules'/'axe-core'/'axe.min.js'))
        for theme in ('Light', 'Dark'):
            self.theme(theme)
            self.page.wait_for_timeout(400)
            bad = self.page.evaluate(AXE)
            assert not bad, bad

    def open(self, path='lab?token=secret&reset', wait='.jp-Launcher'):
        self.page.goto(f'{self.url}{path}')
        self.page.wait_for_selector('#jupyterlab-splash', state='detached')
        if wait: self.page.wait_for_selector(wait)
        return self

    def run(self, command, **args): return self.page.evaluate('([c, a]) => jupyterapp.commands.execute(c, a).then(() => null)', [command, args])
    def theme(self, name):
        self.run('apputils:change-theme', theme=f'JupyterLab {name}')
        self.page.wait_for_function(f"document.body.dataset.jpThemeLight === '{str(name == 'Light').lower()}'")
    def ready(self): return self.page.evaluate(READY)
    def cells(self): return self.page.evaluate(CELLS)
    def recipe(self): return next(o['source'] for o in self.cells() if 'Recipe.for_' in o['source'])
    def save(self): self.run('docmanager:save')

    def open_notebook(self, path, kernel=True):
        self.page.wait_for_function('window.jupyterapp')
        self.page.evaluate('() => jupyterapp.restored')
        self.page.evaluate('p => jupyterapp.commands.execute("docmanager:open", {path: p}).then(() => null)', path)
        self.page.wait_for_selector('.jp-NotebookPanel')
        return self.ready() if kernel else path

    def panel(self, title):
        "The panel with this title, in view"
        found = self.page.locator('.jp-OutputArea-output .tlnb-panel[role=region]').filter(has=self.page.locator('.tlnb-title', has_text=title))
        found.first.wait_for()
        found.first.evaluate('o => o.scrollIntoView({block: "start"})')
        return found.first

    def run_cells(self, last=None, wait=True):
        "Run all cells, or those up to a step, and wait until nothing runs"
        cells = self.cells()
        wanted = len(cells) if last is None else 1 + next(i for i,o in enumerate(cells) if o['step'] == last)
        self.page.evaluate("""n => { const nb = jupyterapp.shell.currentWidget.content; let seen = 0;
          nb.deselectAll(); nb.activeCellIndex = 0;
          const end = nb.widgets.findIndex(o => o.model.type === 'code' && ++seen === n);
          nb.extendContiguousSelectionTo(end);
          void jupyterapp.commands.execute('notebook:run-cell').then(() => nb.deselectAll()); }""", wanted)
        return self.until_idle(wanted) if wait else None

    def until_idle(self, n, seconds=300):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            cells = self.cells()[:n]
            failed = [o for o in cells if o['failed']]
            if failed or all(o['count'] and o['state'] != 'running' for o in cells): return cells
            self.page.wait_for_timeout(200)
        raise AssertionError(f'still running: {[(o["step"], o["count"], o["state"]) for o in self.cells()]}')


def shut_down(url):
    "End all kernels of a server"
    def ask(path, method='GET'):
        return urllib.request.urlopen(urllib.request.Request(f'{url}{path}', method=method, headers={'Authorization': 'token secret'}), timeout=30).read()
    for o in json.loads(ask('api/sessions')): ask(f'api/sessions/{o["id"]}', 'DELETE')
    for o in json.loads(ask('api/kernels')): ask(f'api/kernels/{o["id"]}', 'DELETE')


@contextmanager
def browser():
    from playwright.sync_api import sync_playwright
    with sync_playwright() as p:
        b = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try: yield b
        finally: b.close()
