"The routes of the extension: what they do, who may ask, and that no path leads out of the server's root"
import ast, json, os, subprocess, sys, threading, time
from pathlib import Path

import pytest
from pytest_jupyter.jupyter_core import *  # noqa: F403  (fixtures of this module only: as a plugin they would be those of every test)
from pytest_jupyter.jupyter_server import *  # noqa: F403
from pytest_jupyter.pytest_tornasync import *  # noqa: F403
from tornado.httpclient import HTTPClientError

import tlnb
from tlnb.cell import find_cell, read_cell
from tlnb.errors import StoreError
from tlnb.runs import describe
from tlnb.server import LIMIT, ROUTES, Root, notebook_name
from tlnb.store import RunFolder

ROOT = Path(__file__).resolve().parent.parent
CELL = 'recipe = Recipe.for_tabular(\n    data="people.csv",  # of 1994\n    target="income",\n)'
JUDGED = dict(metric='accuracy', arms=dict(simple=dict(metric='accuracy', value=.861, interval=[.8, .9], inner=.8)), notes=[],
    transfer=dict(verdict='no_difference', best=None, versus=None, gain=.01, metric='accuracy'))

@pytest.fixture
def jp_server_config(): return dict(ServerApp=dict(jpserver_extensions={'tlnb.server': True}))

@pytest.fixture(params=['/', '/user/a%40b/'])
def jp_base_url(request): return request.param

@pytest.fixture
def ask(jp_fetch, jp_asyncio_loop):
    "`ask('runs', folder='x')` or `ask('new', {...})`: status and answer"
    def call(route, body=None, raw=None, headers=None, **params):
        data = raw if raw is not None else None if body is None else json.dumps(body)
        try: r = jp_asyncio_loop.run_until_complete(jp_fetch('tlnb', 'api', *route.split('/'), params=params, body=data, headers=headers, method='GET' if data is None else 'POST'))
        except HTTPClientError as e: r = e.response
        found = json.loads(r.body)
        if r.code != 200: assert r.code < 500 and found['message'] and '\n' not in found['message'], (r.code, found)
        return r.code, found
    return call

@pytest.fixture
def root(jp_root_dir):
    (jp_root_dir/'work').mkdir(); (jp_root_dir/'data').mkdir(); (jp_root_dir/'.hidden').mkdir()
    (jp_root_dir/'data'/'people.csv').write_text('age,income\n')
    (jp_root_dir.parent/'secret').mkdir(); (jp_root_dir.parent/'secret.csv').write_text('x')
    (jp_root_dir/'out').symlink_to(jp_root_dir.parent/'secret')
    return jp_root_dir

def make(path, judged=None, created='2026-01-01T00:00:00+00:00', **train):
    recipe = dict(modality='tabular', data=dict(path='people.csv', target='income'), train=dict(epochs=40) | train)
    run = RunFolder(path).create('k', dict(modality='tabular', recipe=recipe, fingerprint='f', created=created))
    if judged: run.write_json('judgement.json', judged)
    return run

def cell_of(path):
    nb = json.loads(path.read_text(encoding='utf-8'))
    return read_cell(''.join(nb['cells'][find_cell(nb)]['source']))

def tree(path): return sorted(str(o.relative_to(path)) for o in path.rglob('*'))

EXPORT = dict(notebook='n.ipynb', to='p', name='who-buys', bump='minor', licence='MIT', rows='none', without='', reason='', draft=False, dry_run=True)
one_base = pytest.mark.parametrize('jp_base_url', ['/'], indirect=True)
EVERY = [('status', None), ('templates', None), ('new', dict(template='tabular', folder='', name='x', values={})), ('edit', dict(source=CELL, changes={})),
    ('runs', None), ('runs/compare', None), ('runs/delete', dict(path='r')), ('training', None), ('stop', dict(run='r')), ('export', None), ('export/news', None), ('export/start', EXPORT), ('export/job', None),
    ('export/cancel', dict(id='x')), ('compare', None)]


# what the routes do, at / and under a base URL

def test_status_and_templates(ask):
    assert ask('status') == (200, dict(version=tlnb.__version__, templates=len(tlnb.templates()), problem=None))
    code, found = ask('templates')
    assert code == 200 and [o['name'] for o in found] == [o.name for o in tlnb.templates()]
    one = next(o for o in found if o['name'] == 'tabular')
    assert set(one) == {'name', 'title', 'modality', 'steps', 'icon', 'example'} and '<svg' in one['icon'] and one['icon'].rstrip().endswith('</svg>')
    assert one['modality'] == 'tabular' and one['steps'][0]['id'] == 'recipe' and one['example']['data'] == 'loans' and one['example']['sensitive'] == ['sex']

def test_new_is_filled_in(ask, root):
    values = {'data.path': 'data/people.csv', 'data.target': 'income', 'train.epochs': 3, 'train.lr': 'find', 'data.drop': ['a', 'b'], 'run.offline': False}
    assert ask('new', dict(template='tabular', folder='work', name='mine', values=values)) == (200, dict(path='work/mine.ipynb'))
    assert cell_of(root/'work'/'mine.ipynb') == {**values, 'data.path': '../data/people.csv'}
    assert json.loads((root/'work'/'mine.ipynb').read_text())['metadata']['tlnb'] == dict(template='tabular')

def test_data_behind_a_link_that_leads_out(ask, root):
    (root/'pw.csv').symlink_to(root.parent/'secret.csv')
    for path in ('pw.csv', 'out', 'out/x'):
        code, found = ask('new', dict(template='tabular', folder='work', name='mine', values={'data.path': path, 'data.target': 'y'}))
        assert code in (403, 404) and not (root/'work'/'mine.ipynb').exists(), (path, code, found)

def test_runs(ask, root):
    make(root/'work'/'tlnb-runs'/'a', JUDGED); make(root/'work'/'tlnb-runs'/'b'/'run', created='2026-01-02T00:00:00+00:00', epochs=80)
    (root/'work'/'tlnb-runs'/'a'/'report.html').write_text('')
    code, (b, a) = ask('runs', folder='work')
    assert a == dict(path='work/tlnb-runs/a', name='a', modality='tabular', created='2026-01-01T00:00:00+00:00', state='done', headline='accuracy 0.861', target='income',
        verdict=dict(state='open', text='no difference shown: +1.0 points'), report='work/tlnb-runs/a/report.html', note='')
    assert (b['path'], b['name'], b['state'], b['verdict'], b['report']) == ('work/tlnb-runs/b/run', 'b', 'unfinished', None, None)
    code, c = ask('runs/compare', a=a['path'], b=b['path'])
    assert code == 200 and (c['a'], c['b']) == (a, b) and c['recipe'] == [dict(key='train.epochs', a=40, b=80)] and c['same_data'] and c['notes'] == ['b was not judged yet.']
    assert c['arms'] == [dict(arm='simple', metric='accuracy', a=dict(value=.861, interval=[.8, .9]), b=None)]
    assert ask('runs/delete', dict(path=a['path'])) == (200, dict(path=a['path'], kept=[]))
    assert [o['name'] for o in ask('runs', folder='work')[1]] == ['b'] and tree(root/'work'/'tlnb-runs')[0] == 'b'
    assert ask('runs') == (200, []) and ask('runs', folder='none')[0] == 404


# who may ask

@pytest.mark.parametrize('route, body', EVERY)
@one_base
def test_without_token(ask, root, route, body):
    before = tree(root)
    for header in ('', 'token wrong'): assert ask(route, body, headers=dict(Authorization=header))[0] in (401, 403)
    assert tree(root) == before

def test_every_route_is_tested_for_that(): assert [o for o, _ in EVERY] == list(ROUTES)

@pytest.fixture
def browser(jp_fetch, jp_asyncio_loop, jp_serverapp, jp_base_url):
    "A browser that has logged in by cookie: no token in its requests"
    login = jp_asyncio_loop.run_until_complete(jp_fetch('lab', 'no-such-page', headers={}, raise_error=False, follow_redirects=False))
    cookies = [o.split(';')[0] for o in login.headers.get_list('Set-Cookie')]
    assert any(o.startswith('_xsrf=') for o in cookies) and any(o.startswith('username-') for o in cookies), cookies
    xsrf = next(o for o in cookies if o.startswith('_xsrf=')).removeprefix('_xsrf=')
    return dict(Cookie='; '.join(cookies), Authorization=''), {'X-XSRFToken': xsrf}

@pytest.mark.parametrize('route, body', [o for o in EVERY if o[1]])
@one_base
def test_forged_requests(ask, root, browser, route, body):
    "A page elsewhere can make the browser send its cookies, but not the header"
    session, header = browser
    before = tree(root)
    code, found = ask(route, body, headers=dict(session))
    assert code == 403 and '_xsrf' in found['message'] and tree(root) == before
    assert ask(route, body, headers={**session, 'X-XSRFToken': '2|00000000|00|0'})[0] == 403
    assert ask(route, body, headers={**session, **header})[0] in (200, 404)

@pytest.mark.parametrize('route, body', [o for o in EVERY if o[1]])
@one_base
def test_a_stranger_with_a_fitting_header(ask, root, browser, route, body):
    session, header = browser
    cookie = next(o for o in session['Cookie'].split('; ') if o.startswith('_xsrf='))
    before = tree(root)
    assert ask(route, body, headers={'Authorization': '', 'Cookie': cookie, **header})[0] in (401, 403) and tree(root) == before

def test_every_method_asks_who_it_is():
    for route in ROUTES.values():
        for o in ast.walk(ast.parse((ROOT/'tlnb'/'server.py').read_text())):
            if isinstance(o, ast.ClassDef) and o.name == route.__name__:
                methods = [m for m in o.body if isinstance(m, ast.AsyncFunctionDef)]
                assert methods and all([ast.unparse(d) for d in m.decorator_list] == ['web.authenticated', 'authorized'] for m in methods)

@one_base
def test_other_methods(ask):
    for route, body in EVERY: assert ask(route, None if body else {})[0] == 405

@one_base
def test_an_authorizer_that_lets_nobody_at_files(ask, root, jp_serverapp, monkeypatch):
    monkeypatch.setattr(type(jp_serverapp.authorizer), 'is_authorized', lambda self, handler, user, action, resource: resource != 'contents')
    for route, body in EVERY: assert ask(route, body, a='', b='', run='')[0] == 403
    assert not list(root.glob('*.ipynb'))


# paths

OUTSIDE = ['..', '../', '../secret', 'work/../../secret', './work', 'work/.', '/', '/etc', '//etc', '\\', '..\\secret', 'work\\..\\..\\secret', 'C:', 'C:/x', 'c:x', 'out', 'out/x',
    '.hidden', 'work/.hidden', '.', '%2e%2e', '%2e%2e/secret', '..%2fsecret', 'work%2f..%2f..%2fsecret', '%2fetc', '%5c..', '%00', 'a\0b', 'a\nb', '~', '~root/x', 'x'*5000, 'work/'*900, '\ud800',
    'none', 'data/people.csv']

@one_base
def test_no_path_leads_out(ask, root):
    run = make(root.parent/'secret', JUDGED)
    make(root.parent/'.hidden'/'a', JUDGED)
    make(root/'ok', JUDGED)
    (root.parent/'secret'/'arms').mkdir()
    before = tree(root.parent)
    for path in OUTSIDE:
        answers = [ask('runs/delete', dict(path=path)), ask('stop', dict(run=path)), ask('new', dict(template='tabular', folder=path, name='n', values={}))]
        answers += [ask('export/start', EXPORT | dict(notebook=path))]
        if path != '\ud800': answers += [ask('runs', folder=path), ask('runs/compare', a=path, b='ok'), ask('runs/compare', a='ok', b=path), ask('export', notebook=path)]
        if path not in ('\ud800', 'data/people.csv'): answers += [ask('compare', a=path, b='ok')]
        assert all(code in (400, 403, 404) for code, _ in answers), (path, answers)
        assert all('secret' not in json.dumps(a) or 'secret' in path for _, a in answers)
    for path in ('%2e%2e', 'ok%2f..', '%5c'): assert ask('runs', folder=path)[0] == 403  # not merely absent
    assert tree(root.parent) == before and RunFolder(run.path).exists() and not run.stop_requested()

@one_base
def test_paths_in_the_address(jp_fetch, jp_asyncio_loop, http_server_client, jp_auth_header, root):
    "Encoded once they are decoded by the server, encoded twice by nobody"
    make(root.parent/'secret'/'a', JUDGED)
    for o in ('%2e%2e%2fsecret', '%252e%252e%252fsecret', '..%5csecret', 'work/%2e%2e/%2e%2e/secret', '%00', 'out', 'out%2f', 'a%C0%AF', '.hidden'):
        for query in (f'runs?folder={o}', f'runs/compare?a={o}&b={o}'):
            r = jp_asyncio_loop.run_until_complete(http_server_client.fetch(f'/tlnb/api/{query}', headers=dict(jp_auth_header), raise_error=False))
            assert r.code in (400, 403, 404) and json.loads(r.body)['message'], (o, r.code)

NAMES = ['', ' ', '.', '..', '.x', '.ipynb', '../x', '/x', 'a/b', 'a\\b', 'C:x', 'a%2fb', '%2e%2e%2fx', 'a\0b', 'a\nb', 'x'*201, 'ä'*101, 'con', 'NUL.txt', 'com1', 'x.', 'x ?', 'a*', '"a"', '<a>', 'a|b', '\ud800', 'a\x7f']

@one_base
def test_names(ask, root):
    before = tree(root)
    for name in NAMES: assert ask('new', dict(template='tabular', folder='work', name=name, values={}))[0] == 400, name
    assert tree(root) == before
    for name, file in {' Kredite 2026 ': 'Kredite 2026.ipynb', 'a.b.ipynb': 'a.b.ipynb', 'ünï': 'ünï.ipynb', '100%': '100%.ipynb', 'console': 'console.ipynb'}.items():
        assert ask('new', dict(template='tabular', folder='work', name=name, values={}))[1] == dict(path=f'work/{file}') and (root/'work'/file).is_file()

@one_base
def test_data_outside(ask, root):
    for path in ('../secret.csv', '/etc/passwd', '..\\x', '%2e%2e/secret.csv', '.hidden/x.csv', 'C:\\x.csv', 'data/none.csv', 'a\0b', 'https://example.org/a.csv', 3, ['x'], {}):
        code, found = ask('new', dict(template='tabular', folder='work', name='n', values={'data.path': path}))
        assert code in (400, 403, 404), path
    assert not tree(root/'work')

@pytest.mark.parametrize('hidden', [False, True])
@one_base
def test_hidden_folders_follow_the_server(ask, root, jp_serverapp, hidden):
    jp_serverapp.contents_manager.allow_hidden = hidden
    make(root/'.hidden'/'a')
    code, found = ask('runs', folder='.hidden')
    assert (code, len(found)) == (200, 1) if hidden else code == 403

@one_base
def test_a_root_behind_a_link(ask, root, jp_serverapp):
    make(root/'work'/'a', JUDGED)
    (root.parent/'alias').symlink_to(root)
    jp_serverapp.contents_manager.root_dir = str(root.parent/'alias')
    assert ask('runs', folder='work')[1][0]['path'] == 'work/a'
    assert ask('new', dict(template='tabular', folder='work', name='n', values={'data.path': 'data/people.csv'})) == (200, dict(path='work/n.ipynb'))
    assert cell_of(root/'work'/'n.ipynb') == {'data.path': '../data/people.csv'}
    with RunFolder(root/'work'/'a').lock():
        for path in (root/'work'/'a', root.parent/'alias'/'work'/'a'): assert ask('stop', dict(run=str(path))) == (200, dict(path='work/a'))
    assert ask('runs/delete', dict(path='work/a'))[0] == 200

@one_base
def test_not_a_local_disk(ask, jp_serverapp):
    from jupyter_server.services.contents.manager import ContentsManager
    jp_serverapp.web_app.settings['contents_manager'] = ContentsManager()
    for route, body in EVERY:
        code, found = ask(route, body, a='', b='', run='')
        assert code == 400 and 'not files on its disk' in found['message']


# requests that are wrong

@one_base
def test_bodies(ask, root):
    good = dict(template='tabular', folder='work', name='n', values={})
    for raw in ('', '{', '[]', 'null', '3', '"x"', '\xff', '[' * 200_000): assert ask('new', raw=raw)[0] == 400
    for change in (dict(more=1), dict(values=[]), dict(values=None), dict(name=3), dict(name=None), dict(folder={}), dict(template=['tabular'])):
        code, found = ask('new', {**good, **change})
        assert code == 400 and list(change)[0] in found['message']
    for o in ('template', 'folder', 'name'): assert ask('new', {k: v for k, v in good.items() if k != o})[0] == 400
    assert ask('new', raw=json.dumps({**good, 'name': 'x'*LIMIT}))[0] == 413
    code, found = ask('new', {**good, 'template': 'tabluar'})
    assert code == 404 and "did you mean 'tabular'" in found['message']
    assert not tree(root/'work')
    assert ask('runs/compare', a='x')[0] == 400

@one_base
def test_values_are_checked(ask, root):
    wrong = {'train.epochs': [0, 1.5, '3', True, None], 'train.epoch': [3], 'x': [1], '': [1], 'train': [{}], 'train.lr': ['fast'], 'data.drop': [3, [3]], 'run.offline': ['no'],
        'transfer.metric': ['acc'], 'transfer.min_gain': [float('nan'), float('inf')], 'data.target': [3, 'a\0b', '\ud800', {}], 'text.x': [1], 'data.text': ['t']}
    for key, values in wrong.items():
        for v in values:
            if v is None: continue
            for route, body in (('new', dict(template='tabular', folder='work', name='n', values={key: v})), ('edit', dict(source=CELL, changes={key: v}))):
                code, found = ask(route, body)
                assert code == 400 and (not key or key in found['message']), (key, v, found)
    assert not tree(root/'work')

@one_base
def test_new_keeps_the_example_where_no_data_is_given(ask, root):
    example = cell_of(next(o for o in tlnb.templates() if o.name == 'tabular').notebook)
    def new(name, values):
        assert ask('new', dict(template='tabular', folder='', name=name, values=values))[0] == 200
        return cell_of(root/f'{name}.ipynb')
    assert new('a', {}) == new('b', {'data.path': '', 'data.target': None}) == example
    assert (root/'a.ipynb').read_bytes() == next(o for o in tlnb.templates() if o.name == 'tabular').notebook.read_bytes()
    assert new('c', {'train.epochs': 3}) == {**example, 'train.epochs': 3}
    assert new('d', {'data.path': 'loans', 'data.target': 'defaulted', 'data.split': ''}) == {'data.path': 'loans', 'data.target': 'defaulted', 'data.split': ''}
    assert new('e', {'data.path': 'data/'}) == {'data.path': 'data'}

@one_base
def test_new_overwrites_nothing(ask, root):
    (root/'work'/'mine.ipynb').write_text('mine'); (root/'work'/'dir.ipynb').mkdir(); (root/'work'/'link.ipynb').symlink_to(root.parent/'secret'/'new')
    for name in ('mine', 'mine.ipynb', 'dir', 'link'):
        code, found = ask('new', dict(template='tabular', folder='work', name=name, values={}))
        assert code == 409 and 'exists already' in found['message'] and str(root) not in found['message']
    assert (root/'work'/'mine.ipynb').read_text() == 'mine' and not tree(root.parent/'secret')

@one_base
def test_edit(ask):
    assert ask('edit', dict(source=CELL, changes={'train.epochs': 5, 'data.target': None})) == (200, dict(source='recipe = Recipe.for_tabular(\n    data="people.csv",  # of 1994\n    train_epochs=5,\n)'))
    assert ask('edit', dict(source=CELL, changes={})) == (200, dict(source=CELL))
    assert ask('edit', dict(source=CELL, changes={'train.lr': 1}))[1]['source'].count('train_lr=1.0') == 1
    for source, why in {'x = 1': 'no recipe', CELL + '\n' + CELL: 'more than one', 'recipe = (': 'no recipe', CELL.replace('"income"', 'name'): 'expression', 'recipe = Recipe.for_tabular(': 'not Python',
            'recipe = Recipe.for_sound(data="x")': 'unknown modality', 'recipe = Recipe.for_tabular(data=' + '-'*90_000 + '1)': 'nested', 'recipe = Recipe.for_tabular(**o)': 'expression'}.items():
        code, found = ask('edit', dict(source=source, changes={'data.target': 'x'}))
        assert code == 400 and why in found['message'], found

@one_base
def test_missing_and_damaged_templates(ask, root, tmp_path, monkeypatch):
    folder = tmp_path/'templates'
    monkeypatch.setattr('tlnb.gallery.templates_folder', lambda: folder)
    def asked(why):
        code, s = ask('status')
        assert code == 200 and s['version'] == tlnb.__version__ and s['templates'] == 0 and why in s['problem'] and '\n' not in s['problem']
        assert ask('templates')[0] == 404 and why in ask('templates')[1]['message']
        assert ask('new', dict(template='tabular', folder='', name='x', values={}))[0] == 404
    asked('no templates')
    (folder/'a').mkdir(parents=True)
    asked('a template is damaged')
    (folder/'a'/'template.json').write_text(json.dumps(dict(name='a', title='A', modality='tabular', steps=[])))
    (folder/'a'/'a.ipynb').write_text('{}')
    asked('a template is damaged')  # no icon
    (folder/'a'/'icon.svg').write_text('<svg/>')
    asked('a template is damaged')  # no cells
    (folder/'a'/'a.ipynb').write_text(json.dumps(dict(cells=[dict(cell_type='code', source='recipe = Recipe.for_tabular(data=x, target="y")')])))
    assert ask('status')[1]['problem'] is None and ask('templates')[1][0]['example'] == dict(target='y')


# runs at work

@one_base
def test_training_is_told_from_the_folder(ask, root):
    run = make(root/'tlnb-runs'/'a', JUDGED)
    rows = [dict(epoch=i, phase='<b>', lr=.1, train_loss=1/i, valid_loss=1/i, accuracy=.5) for i in (1, 2, 3)]
    run.write_json('arms/fine_tuning/seed-7/history.json', rows)
    code, found = ask('training', run=str(run.path))
    assert code == 200 and not found['running'] and found['run'] == 'tlnb-runs/a'
    assert found['html'].count('<svg') == 2 and '3 epochs' in found['html'] and '<b>' not in found['html'] and 'As it was left' in found['text']
    with run.lock(): assert ask('training', run='tlnb-runs/a')[1]['running']
    assert ask('training', run='work')[0] == 404 and ask('training', run='/etc')[0] == 403 == ask('training', run=str(root.parent/'secret'))[0]


@one_base
def test_stop_and_delete_of_a_running_run(ask, root):
    run = make(root/'tlnb-runs'/'a', JUDGED)
    assert ask('stop', dict(run='tlnb-runs/a'))[0] == 409 and not run.stop_requested()
    assert ask('stop', dict(run='work'))[0] == 404
    with run.lock():
        before = tree(run.path)
        code, found = ask('runs/delete', dict(path='tlnb-runs/a'))
        assert code == 409 and 'held by process' in found['message'] and str(root) not in found['message'] and tree(run.path) == before
        assert ask('runs')[1][0]['state'] == 'running'
        assert ask('stop', dict(run=str(run.path))) == (200, dict(path='tlnb-runs/a')) and run.stop_requested()
        run.clear_stop(); (run.path/'stop').symlink_to(root.parent/'secret'/'new')
        assert ask('stop', dict(run='tlnb-runs/a'))[0] == 400
    (run.path/'stop').unlink()
    assert not tree(root.parent/'secret')
    assert ask('stop', dict(run=str(root.parent/'secret')))[0] == 403 == ask('stop', dict(run='/etc'))[0] == ask('stop', dict(run='/no/such'))[0]
    assert ask('runs/delete', dict(path='tlnb-runs/a'))[0] == 200 and not tree(root/'tlnb-runs')

@one_base
def test_only_runs_are_deleted(ask, root):
    run = make(root/'a', JUDGED)
    (root/'link').symlink_to(run.path); (root/'folder').symlink_to(root)
    before = tree(root)
    for path, code in {'link': 403, 'folder/a': 403, '': 403, 'work': 404, 'data': 404, 'data/people.csv': 404, 'none': 404}.items(): assert ask('runs/delete', dict(path=path))[0] == code, path
    (root/'run.json').write_text('{"schema": 1}')
    assert ask('runs/delete', dict(path=''))[0] == 403
    (root/'run.json').unlink(); (run.path/'mine.txt').write_text('x')
    code, found = ask('runs/delete', dict(path='a'))
    assert code == 400 and 'mine.txt' in found['message'] and str(root) not in found['message']
    (run.path/'mine.txt').unlink()
    assert tree(root) == before

@one_base
def test_a_damaged_run_is_listed(ask, root):
    (root/'a').mkdir(); (root/'a'/'run.json').write_text('{')
    code, found = ask('runs')
    assert code == 200 and found[0]['verdict'] == dict(state='bad', text='unreadable') and found[0]['note'] and str(root) not in json.dumps(found)
    assert ask('runs/compare', a='a', b='a')[0] == 400

@one_base
def test_slow_work_does_not_hold_the_server(jp_fetch, jp_asyncio_loop, root, monkeypatch):
    import asyncio
    monkeypatch.setattr('tlnb.server.runs', lambda folder: time.sleep(1) or [])
    async def both():
        slow = asyncio.ensure_future(jp_fetch('tlnb', 'api', 'runs'))
        await asyncio.sleep(.1)
        t = time.monotonic()
        await jp_fetch('tlnb', 'api', 'status')
        took, waiting = time.monotonic() - t, not slow.done()
        await slow
        return took, waiting
    took, waiting = jp_asyncio_loop.run_until_complete(both())
    assert waiting and took < .9


# export and compare, each in a process of its own

NB = dict(metadata=dict(tlnb=dict(template='tabular')), nbformat=4, nbformat_minor=5, cells=[dict(cell_type='code', id='a', source=CELL, metadata={}, outputs=[], execution_count=None)])

def ended(ask, id, seconds=90):
    "How a job ends"
    for _ in range(seconds*10):
        code, found = ask('export/job', id=id)
        assert code == 200
        if found['state'] not in ('running', 'cancelling'): return found
        time.sleep(.1)
    raise AssertionError(found)

@pytest.fixture
def notebook(root):
    (root/'work'/'n.ipynb').write_text(json.dumps(NB))
    return 'work/n.ipynb'

@pytest.fixture
def worker(monkeypatch):
    "`worker(code)`: processes run this code in place of the library's"
    from tlnb.jobs import Jobs
    def call(code): monkeypatch.setattr('tlnb.server.WORKERS', Jobs([sys.executable, '-c', 'import json, sys, time\nasked = json.load(sys.stdin)\ndef tell(**o): print(json.dumps(o), flush=True)\n' + code]))
    return call

def test_a_look_before_an_export(ask, root, notebook):
    code, found = ask('export', notebook=notebook)
    assert code == 200 and found['projects'] == [] and found['running'] is None and 'MIT' in found['licences'] and found['bumps'] == ['major', 'minor', 'patch']
    code, found = ask('export', notebook=notebook, name='who-buys', to='work/who-buys')
    assert (found['module'], found['next']['minor'], found['problem']) == ('who_buys', '0.1.0', None) and not (root/'work'/'who-buys').exists()
    project = root/'work'/'buys'
    (project/'nbs').mkdir(parents=True); (project/'who_buys').mkdir()
    (project/'.tlnb.json').write_text(json.dumps(dict(name='who-buys'))); (project/'who_buys'/'__init__.py').write_text('__version__ = "1.2.3"'); (project/'nbs'/'who_buys.ipynb').write_text(json.dumps(NB))
    before = tree(root)
    code, found = ask('export', notebook=notebook, name='who-buys', to='work/buys')
    assert found['projects'] == [dict(name='who-buys', folder='work/buys', mine=True)] and (found['released'], found['next']['patch'], found['next']['major']) == ('1.2.3', '1.2.4', '2.0.0')
    for name, to, field in (('a b', 'work/x', 'name'), ('json', 'work/x', 'name'), ('other', 'work/buys', 'to'), ('who-buys', 'data', 'to'), ('who-buys', 'data/people.csv', 'to')):
        problem = ask('export', notebook=notebook, name=name, to=to)[1]['problem']
        assert problem['field'] == field and str(root) not in problem['message'] and '--' not in problem['message'], (name, to, problem)
    assert tree(root) == before

@one_base
def test_a_project_lies_in_the_root(ask, root, notebook):
    (root/'in').symlink_to(root/'work')
    before = tree(root.parent)
    for path in [o for o in OUTSIDE if o not in ('none', 'data/people.csv', '~', '~root/x', 'work/'*900, 'x'*5000)] + ['', 'out/project', 'out/a/b', 'work/../../x', 'none/../../x']:
        assert ask('export/start', EXPORT | dict(notebook=notebook, to=path))[0] in (400, 403, 404), path
        if path not in ('\ud800', 'a\0b'): assert ask('export', notebook=notebook, name='who-buys', to=path)[0] in (400, 403, 404), path # tornado takes a NUL out of a query
    assert tree(root.parent) == before
    assert ask('export', notebook=notebook, name='who-buys', to='in/a/b/c')[1]['problem'] is None
    for o in ('work', 'data/people.csv', 'none.ipynb'): assert ask('export', notebook=o)[0] == 404 == ask('export/start', EXPORT | dict(notebook=o))[0]

@one_base
def test_bodies_of_an_export(ask, root, notebook):
    good = EXPORT | dict(notebook=notebook, to='work/p')
    before = tree(root)
    for change in (dict(more=1), dict(draft='yes'), dict(draft=None), dict(dry_run=1), dict(name=3), dict(bump=None), dict(rows=True), dict(say='x')):
        code, found = ask('export/start', {**good, **change})
        assert code == 400 and list(change)[0] in found['message']
    for o in good: assert ask('export/start', {k: v for k, v in good.items() if k != o})[0] == 400, o
    for change, field in ((dict(name='../x'), 'name'), (dict(bump='huge'), 'bump'), (dict(licence='x'), 'licence')):
        found = ended(ask, ask('export/start', {**good, **change})[1]['id'])
        assert found['state'] == 'failed' and found['error']['field'] == field and '\n' not in found['error']['message'], found
    for id in ('', 'x', '../x', 'x'*3000): assert ask('export/job', id=id)[0] == 404 == ask('export/cancel', dict(id=id))[0]
    assert tree(root) == before

@one_base
def test_an_export_is_followed_and_cancelled(ask, root, notebook, worker):
    worker("tell(say='at it'); time.sleep(0 if asked['dry_run'] else 600); tell(result=dict(folder=asked['to'], wheel=asked['to'] + '/dist/a.whl', notes=[f\"see {asked['to']}/x\"], asked=asked))")
    good = EXPORT | dict(notebook=notebook, to='work/p')
    found = ended(ask, ask('export/start', good)[1]['id'])
    assert found['state'] == 'done' and (found['result']['folder'], found['result']['wheel'], found['result']['notes']) == ('work/p', 'work/p/dist/a.whl', ['see work/p/x'])
    assert found['result']['asked'] == good | dict(work='export', notebook=str(root/'work'/'n.ipynb'), to=str(root/'work'/'p'))
    id = ask('export/start', good | dict(dry_run=False))[1]['id']
    while not (found := ask('export/job', id=id)[1])['text']: time.sleep(.05)
    assert (found['state'], found['text']) == ('running', 'at it')
    assert ask('export/start', good)[0] == 409
    assert ask('export/cancel', dict(id=id)) == (200, dict(id=id)) and ended(ask, id)['state'] == 'cancelled'

@one_base
def test_a_page_that_is_loaded_anew_finds_the_export_at_work(ask, root, notebook, worker):
    "Whoever looks at the notebook, in whatever page, is told the job, what it is doing, and its end; another notebook is not at work"
    worker("if asked['work'] == 'look': tell(result=dict(projects=[], problem=None)); sys.exit()\ntell(say='at it'); time.sleep(600)")
    (root/'work'/'other.ipynb').write_text(json.dumps(NB))
    assert ask('export', notebook=notebook)[1]['running'] is None
    id = ask('export/start', EXPORT | dict(notebook=notebook, to='work/p'))[1]['id']
    for name in ('', 'who-buys'): assert ask('export', notebook=notebook, name=name, to='work/p')[1]['running'] == id
    assert ask('export', notebook='work/other.ipynb')[1]['running'] is None
    while not (found := ask('export/job', id=id)[1])['text']: time.sleep(.05)
    assert (found['state'], found['about'], found['text']) == ('running', notebook, 'at it')
    ask('export/cancel', dict(id=id)); ended(ask, id)
    assert ask('export', notebook=notebook)[1]['running'] is None and ask('export/job', id=id)[1]['state'] == 'cancelled'

@one_base
def test_what_a_next_version_would_say(ask, root, notebook, worker):
    "The worker is asked with paths of the disk, and only for what lies in the root; where it cannot tell, the answer is a line without the root's path"
    before = tree(root)
    for o in ('../x', '', 'out/p'): assert ask('export/news', notebook=notebook, to=o)[0] in (400, 403, 404), o
    assert ask('export/news', notebook='none.ipynb', to='work/p')[0] == 404
    worker("tell(error=dict(message='no run of this notebook: ' + asked['notebook'], field=''))")
    code, found = ask('export/news', notebook=notebook, to='work/p')
    assert code == 400 and found['message'].startswith('no run of this notebook: ') and str(root) not in found['message'] and tree(root) == before
    worker("tell(result=dict(changes=[json.dumps(asked)]))")
    code, found = ask('export/news', notebook=notebook, to='work/p')
    assert code == 200 and json.loads(found['changes'][0]) == dict(work='news', notebook=str(root/'work'/'n.ipynb'), to=str(root/'work'/'p'))

@one_base
def test_an_export_of_nothing(ask, root, notebook):
    "The library's own worker: an error in one line, and nothing is left"
    before = tree(root)
    found = ended(ask, ask('export/start', EXPORT | dict(notebook=notebook, to='work/p'))[1]['id'])
    assert found['state'] == 'failed' and 'no run of this notebook' in found['error']['message'] and str(root) not in json.dumps(found) and tree(root) == before

@one_base
def test_who_may_not_run_kernels_exports_nothing(ask, root, notebook, jp_serverapp, monkeypatch):
    monkeypatch.setattr(type(jp_serverapp.authorizer), 'is_authorized', lambda self, handler, user, action, resource: resource == 'contents')
    assert ask('export/start', EXPORT | dict(notebook=notebook, to='work/p'))[0] == 403 and ask('export', notebook=notebook)[0] == 200

@one_base
def test_compare_says_why_not(ask, root):
    make(root/'a', JUDGED)
    code, found = ask('compare', a='a', b='a')
    assert code == 400 and found['message'] and str(root) not in found['message']
    assert ask('compare', a='a', b='none')[0] == 404 == ask('compare', a='none', b='a')[0]

def test_a_worker_takes_its_copy_away(tmp_path):
    "What SIGTERM ends leaves what was there; what was written already is said"
    code = '''
import json, os, signal, sys, threading, time, types
from pathlib import Path
import tlnb.worker
from tlnb.project import staged
def export(what, to, name, say, dry_run, late=%r, **_):
    with staged(to, name) as p:
        p.write('a.txt', 'new'); p.finish({})
        if not late: say('halfway'); time.sleep(600)
    say('halfway'); time.sleep(600)
sys.modules['tlnb.export'] = types.SimpleNamespace(export=export)
tlnb.worker.main()
'''
    for late in (False, True):
        p = subprocess.Popen([sys.executable, '-c', code % late], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        p.stdin.write(json.dumps(EXPORT | dict(work='export', to=str(tmp_path/'p'), name='who-buys', dry_run=False))); p.stdin.close()
        while 'halfway' not in p.stdout.readline(): pass
        assert any('.export' in o for o in tree(tmp_path)) != late
        p.terminate()
        said = json.loads(p.stdout.read().splitlines()[-1])
        assert p.wait(30) == 0 and ('too late' in said['error']['message']) == late == bool(tree(tmp_path)), (said, tree(tmp_path))


# the house

def test_the_server_stays_light():
    code = 'import sys, tlnb.server; print(*sys.modules)'
    loaded = {o.split('.')[0] for o in subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()}
    assert not loaded & {'torch', 'fastai', 'pandas', 'shap', 'ipywidgets', 'numpy', 'sklearn', 'scipy', 'matplotlib', 'fastcore'}

def test_the_server_stands_on_floor_0():
    tree = ast.parse((ROOT/'tlnb'/'server.py').read_text())
    ours = {o.module for o in ast.walk(tree) if isinstance(o, ast.ImportFrom) and o.level}
    floors = {o.stem.split('_', 1)[1] for o in (ROOT/'nbs').glob('0*.ipynb')}
    assert ours and ours <= floors

def test_after_work_the_server_is_light_still(tmp_path):
    "also what is imported when a route is called"
    (tmp_path/'w').mkdir()
    code = f'''
import sys; from pathlib import Path
from tlnb.server import *
from tlnb.store import RunFolder
root = Root(Path({str(tmp_path)!r}), False)
status(root); gallery(root); make(root, 'tabular', 'w', 'n', {{'train.epochs': 3}}); edit(root, {CELL!r}, {{'train.epochs': 3}})
run = RunFolder(root.path/'a').create('k', dict(modality='tabular', recipe={{}}))
listed(root, ''); compared(root, 'a', 'a'); delete(root, 'a')
print(*sys.modules)'''
    out = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True)
    assert not out.returncode, out.stderr
    assert not {o.split('.')[0] for o in out.stdout.split()} & {'torch', 'fastai', 'pandas', 'shap', 'ipywidgets', 'numpy'}
