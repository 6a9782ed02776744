"Two runs or packages: what is planted is found, what is not is not, and only what can be compared is compared"
import json, re, zipfile

import numpy as np
import pandas as pd
import pytest

from tlnb.bias import check_bias
from tlnb.compare import apart, compare, flips_of
from tlnb.portrait import Rows, Side, portrait, side_of
from tlnb.dataset import load
from tlnb.errors import DataError, RecipeError, StoppedError, StoreError
from tlnb.judged import Judged, contents, judged_of, judged_rows
from tlnb.metrics import METRICS, score
from tlnb.recipe import Recipe

CLASSES = dict(classification=['no', 'yes'], multilabel=['cat', 'dog', 'hen'], regression=[])
LEAD = dict(classification='accuracy', multilabel='pr_auc', regression='r2')


def side(name, preds, y, task='classification', ids=None, **more):
    "A side of made-up predictions, a seed each"
    n = len(y)
    ids = np.arange(n) if ids is None else ids
    judged = Judged(task, more.get('classes', CLASSES[task]), 't', more.get('fingerprint', 'f'), '', ';', [f'row {i}' for i in range(1, n + 1)], [f'{i:016x}' for i in ids], y, np.arange(n))
    about = dict(name=name, kind='run', modality='tabular', task=task, classes=judged.classes, target='t', model='from_scratch, seed 0', fingerprint='f', n_judged=n, metric=LEAD[task], min_gain=.01,
        seed=0, inner=.25, separator=';', parameters=1, bytes=4, seconds=1., bias=[], bias_verdict=None, recipe={}, origins={}, environment={})
    return Side(about | more, Rows(judged, preds, list(range(len(preds)))))


def world(rng, n=600, k=3, gain=0., scatter=.05, shared=.5):
    "Truth and the predictions of two models on the same hard and easy rows: seeds scatter, and so do the training rows that all seeds of a model share"
    y, ease = rng.integers(0, 2, n), rng.normal(.8, .8, n)
    def model(gain):
        common = np.sqrt(shared)*rng.normal()
        margins = [ease + gain + scatter*(common + rng.normal()) + rng.normal(0, .6, n) for _ in range(k)]
        p = [1/(1 + np.exp(-1.7*(2*y - 1)*m)) for m in margins]
        return [np.c_[1 - o, o] for o in p]
    return y, model(0.), model(gain)


@pytest.mark.parametrize('gain, found', [(.6, 'better'), (-.6, 'worse')])
def test_a_planted_difference_is_found(gain, found):
    y, old, new = world(np.random.default_rng(0), gain=gain)
    c = compare(side('a', old, y), side('b', new, y))
    assert c.verdict == found and {o['verdict'] for o in c.scores if o['metric'] != 'ece'} == {found}
    for o in c.scores:
        assert o['paired'] and o['interval'][0] <= o['gain'] <= o['interval'][1] and o['a_interval'][0] <= o['a'] <= o['a_interval'][1]
        assert o['b'] == pytest.approx(np.mean([score(o['metric'], y, p) for p in new]))
    back = compare(side('b', new, y), side('a', old, y))
    assert [o['gain'] for o in back.scores] == pytest.approx([-o['gain'] for o in c.scores])


@pytest.mark.parametrize('seeds', [1, 3])
def test_no_difference_is_not_found(seeds):
    "200 pairs of models of equal skill: at most 5 % false verdicts"
    wrong = 0
    for i in range(200):
        y, old, new = world(np.random.default_rng([i, seeds]), n=300, k=seeds, scatter=.05 if seeds > 1 else 0.)
        wrong += compare(side('a', old, y), side('b', new, y), metrics='accuracy').verdict != 'no difference'
    assert wrong <= 10


def test_pairing_is_what_makes_it_sure():
    "On the same rows a small gain is seen that two separate intervals do not show"
    y, old, new = world(np.random.default_rng(3), n=1500, k=1, gain=.25)
    c = compare(side('a', old, y), side('b', new, y), metrics='roc_auc')
    assert [o['metric'] for o in c.scores] == ['accuracy', 'roc_auc']
    o = c.scores[1]
    wide = apart(dict(value=o['a'], interval=o['a_interval']), dict(value=o['b'], interval=o['b_interval']))
    assert o['interval'][1] - o['interval'][0] < .8*(wide[1] - wide[0])


def test_other_seeds_and_a_single_one():
    "Seeds that are not the same are drawn each for itself; a single one says nothing about others, and that is said"
    y, old, new = world(np.random.default_rng(4), gain=.5)
    a, b = side('a', old, y), side('b', new[:1], y)
    c = compare(a, b)
    assert c.verdict == 'better' and any('one seed' in o for o in c.notes)
    same, other = compare(a, side('b', new, y)), side('b', new, y)
    other.rows.seeds = [7, 8, 9]
    assert compare(a, other).scores[0]['gain'] == same.scores[0]['gain'] and compare(a, other).scores[0]['interval'] != same.scores[0]['interval']


def test_identical():
    y, old, _ = world(np.random.default_rng(5))
    c = compare(side('a', old, y), side('a', old, y))
    assert c.verdict == 'no difference' and c.flips['count'] == 0 and c.same_data and not c.recipe and {o['gain'] for o in c.scores} == {0.}
    assert [c.a['name'], c.b['name']] == ['a (a)', 'a (b)'] and 'The recipes do not differ' in c._repr_html_()


def test_flips_exactly():
    y = np.array([0, 1, 1, 0, 1, 0]*20)
    old, new = y.copy(), y.copy()
    old[[3, 7, 9]] ^= 1
    new[[3, 20, 21, 22]] ^= 1
    c = compare(*(side(k, [np.eye(2)[o]], y) for k, o in (('a', old), ('b', new))))
    f = c.flips
    assert (f['count'], f['better'], f['worse'], f['neither'], f['n']) == (5, 2, 3, 0, 120)
    assert [o['id'] for o in f['items']] == ['row 8', 'row 10', 'row 21', 'row 22', 'row 23']
    assert f['items'][0] == dict(id='row 8', old=CLASSES['classification'][1 - y[7]], new=CLASSES['classification'][y[7]], true=CLASSES['classification'][y[7]], change='better')


def test_many_flips_are_cut_on_the_page_only():
    y = np.arange(300) % 2
    c = compare(side('a', [np.eye(2)[y]], y), side('b', [np.eye(2)[1 - y]], y))
    assert c.flips['count'] == c.flips['worse'] == len(c.flips['items']) == 300
    assert 'the first 50 of 300' in c._repr_html_() and 'row 50<' in c._repr_html_() and 'row 51<' not in c._repr_html_()


def test_three_classes():
    at, sign = flips_of(np.array([0, 1, 2]), np.array([1, 2, 2]), np.array([2, 2, 2]), 'classification')
    assert at.tolist() == [0, 1] and sign.tolist() == [0, 1]


def test_several_labels():
    rng = np.random.default_rng(6)
    y = (rng.uniform(size=(500, 3)) < [.5, .3, .2]).astype(int)
    old, new = ([np.clip(.5 + (y - .5)*s + rng.normal(0, .25, y.shape), 0, 1) for _ in range(2)] for s in (.5, .8))
    c = compare(side('a', old, y, 'multilabel'), side('b', new, y, 'multilabel'))
    assert c.metric == 'pr_auc' and c.verdict == 'better' and {o['metric'] for o in c.scores} == set(METRICS['multilabel'])
    a, b = ((o[0] >= .5).astype(int) for o in (old, new))
    wrong = [(o != y).sum(1) for o in (a, b)]
    changed = (a != b).any(1)
    assert (c.flips['count'], c.flips['better'], c.flips['worse']) == (changed.sum(), (changed & (wrong[1] < wrong[0])).sum(), (changed & (wrong[1] > wrong[0])).sum())
    i = int(np.flatnonzero(changed)[0])
    assert c.flips['items'][0]['true'] == ';'.join(np.array(CLASSES['multilabel'])[y[i] == 1]) and c._repr_html_()


def test_numbers():
    rng = np.random.default_rng(7)
    y = rng.normal(100, 20, 500)
    old, new = ([(y + rng.normal(0, s, 500))[:, None] for _ in range(2)] for s in (12, 8))
    c = compare(side('a', old, y, 'regression'), side('b', new, y, 'regression'))
    assert c.metric == 'r2' and c.verdict == 'better' and all(o['gain'] > 0 for o in c.scores) and {o['metric'] for o in c.scores} == {'r2', 'mae', 'rmse'}
    assert {o['metric']: o['min_gain'] for o in c.scores} == dict(r2=.01, mae=0., rmse=0.)   # min_gain is in units of the headline metric
    far = np.abs(new[0] - old[0])[:, 0] > np.median(np.abs(old[0][:, 0] - y))
    assert c.flips['count'] == far.sum() and any('median error' in o for o in c.notes) and isinstance(c.flips['items'][0]['old'], float)


def test_only_common_rows_count():
    "Other data: rows are known by their content, wherever they stand; relabelled rows are left out"
    y, old, new = world(np.random.default_rng(8), n=400, gain=.5)
    ids = np.r_[np.arange(399, 149, -1), np.arange(1000, 1050)]   # the last 250 rows, turned round, and 50 new ones
    there = np.r_[ids[:250], np.zeros(50, int)]
    truth = y[there].copy()
    truth[[0, 1, 2]] ^= 1
    b = side('b', [p[there] for p in new], truth, ids=ids, fingerprint='g')
    c = compare(side('a', old, y), b)
    assert not c.same_data and c.rows == dict(common=250, relabelled=3, a=400, b=300) and c.flips['n'] == 247
    rows = np.arange(150, 397)
    for k, preds in (('a', old), ('b', new)):
        assert next(o[k] for o in c.scores if o['metric'] == 'accuracy') == pytest.approx(np.mean([score('accuracy', y[rows], p[rows]) for p in preds]))
    assert 'The data differ' in c.notes[0] and any('250 rows were judged in both' in o for o in c.notes) and any('3 rows have another label' in o for o in c.notes)
    old_said, new_said = (o[0].argmax(1) for o in (old, new))
    assert {o['id'] for o in c.flips['items']} == {f'row {i + 1}' for i in rows if old_said[i] != new_said[i]}


def test_classes_in_another_order():
    y, old, new = world(np.random.default_rng(9), gain=.5)
    turned = side('b', [p[:, ::-1] for p in new], 1 - y, classes=['yes', 'no'])
    assert compare(side('a', old, y), turned).scores == compare(side('a', old, y), side('b', new, y)).scores


@pytest.mark.parametrize('change, said', [
    (dict(task='regression', classes=[]), 'other tasks'), (dict(classes=['no', 'perhaps', 'yes']), 'other classes: a: no, yes; b: no, perhaps, yes'), (dict(modality='vision'), 'other kinds of data'), (dict(target='paid'), 'other targets: a: t; b: paid; compare two models of the same task')])
def test_other_questions(change, said):
    y, old, new = world(np.random.default_rng(0), n=50)
    b = side('b', new, y)
    b.about.update(change)
    with pytest.raises(DataError, match=re.escape(said)): compare(side('a', old, y), b)
    if 'target' in change: assert compare(side('a', old, y), side('b', new, y, target=' T_')).flips['n'] == 50 # another spelling is the same target


def test_no_common_rows():
    y, old, new = world(np.random.default_rng(0), n=50)
    with pytest.raises(DataError, match='no row was judged in both'): compare(side('a', old, y), side('b', new, y, ids=np.arange(100, 150), fingerprint='g'))
    with pytest.raises(DataError, match='no row has the same truth'): compare(side('a', old, y), side('b', new, 1 - y))


def test_bias_recipe_environment():
    y, old, new = world(np.random.default_rng(0), n=200)
    gap = lambda value, low, high, **more: dict(attribute='sex', metric='accuracy_difference', value=value, interval=[low, high], verdict='pass') | more
    a = side('a', old, y, bias=[gap(.3, .2, .4), gap(.1, 0, .2, attribute='age'), gap(.1, 0, .2, metric='old')], recipe={'train.epochs': 3, 'train.lr': .1}, origins={'train.epochs': 'recipe cell'},
        environment=dict(python='3.11', packages=dict(torch='2.1', numpy='2')))
    b = side('b', new, y, bias=[gap(.05, 0, .1), gap(.15, .05, .25, attribute='age')], recipe={'train.epochs': 9, 'train.lr': .1}, origins={'train.epochs': 'settings.ini'},
        environment=dict(python='3.11', packages=dict(torch='2.2', numpy='2')), bytes=400, min_gain=.02, metric='roc_auc')
    c = compare(a, b)
    assert [o['change'] for o in c.bias] == ['smaller', 'no difference', None] and c.bias[0]['a_interval'] == [.2, .4] and c.bias[2]['b'] is None
    assert compare(b, a).bias[0]['change'] == 'larger'
    assert c.recipe == [dict(key='train.epochs', a=3, b=9, a_origin='recipe cell', b_origin='settings.ini')] and c.environment == [dict(key='torch', a='2.1', b='2.2')]
    assert dict(what='bytes', a=4, b=400) in c.size and c.scores[0]['min_gain'] == .02 and c.metric == 'accuracy'
    assert any('judged by accuracy and ROC-AUC' in o for o in c.notes) and any('min_gain differs' in o for o in c.notes)


def test_shows_itself():
    y, old, new = world(np.random.default_rng(1), n=200, gain=.5)
    c = compare(side('<b>old</b>', old, y), side('new', new, y))
    page, frame = c._repr_html_(), c.to_frame()
    assert '<script' not in page and '<b>old' not in page and '&lt;b&gt;old' in page and 'currentColor' in page and '#000000' not in page and 'aria-label="Values with' in page
    assert list(frame.metric) == list(METRICS['classification']) and {'a_low', 'b_high', 'low', 'high', 'gain'} <= set(frame)
    assert repr(c).startswith('Comparison(better: new was') and '\n' not in repr(c) and json.dumps(c.to_dict(), allow_nan=False) and len(c.plot().axes) == len(c.scores)


def test_undefined_metric():
    y, old, new = world(np.random.default_rng(1), n=60)
    y[:] = 1
    c = compare(side('a', old, y, metric='roc_auc'), side('b', new, y, metric='roc_auc'))
    assert c.verdict is None and 'cannot be compared' in c.words() and c._repr_html_() and c.lines()


# ---- contents

def test_contents():
    frame = pd.DataFrame(dict(a=[1, 2], b=['x', ' y '], c=[None, 'z']))
    same = pd.DataFrame(dict(c=['z', np.nan], b=['y', 'x'], a=[2., 1.]))
    assert contents(frame) == contents(same)[::-1] and len(set(contents(frame))) == 2
    assert contents(pd.DataFrame(dict(a=[1], b=['2']))) != contents(pd.DataFrame(dict(a=['1'], c=['2'])))


def test_contents_of_pictures(tmp_path):
    from PIL import Image
    for k in ('a', 'b'):
        (tmp_path/k).mkdir()
        Image.new('RGB', (8, 8), (9, 99, 199)).save(tmp_path/k/'x.png')
    Image.new('RGB', (8, 8)).save(tmp_path/'b'/'y.png')
    said = [contents(pd.DataFrame(dict(path=[str(tmp_path/o)])), 'vision')[0] for o in ('a/x.png', 'b/x.png', 'b/y.png')]
    assert said[0] == said[1] != said[2]


# ---- runs and packages

def people(n=800, seed=0):
    rng = np.random.default_rng(seed)
    age, hours, job, sex = rng.normal(40, 12, n).round(3), rng.normal(35, 8, n).round(3), rng.choice(['cook', 'clerk', 'nurse'], n), rng.choice(['f', 'm'], n)
    pays = age/12 + hours/8 + (job == 'nurse') + rng.normal(0, 1, n) > 8
    return pd.DataFrame(dict(age=age, hours=hours, job=job, sex=sex, pays=np.where(pays, 'yes', 'no')))


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    "Folder of three runs: a; b, trained well; c, of changed data in the same file"
    from tlnb.adapt import adapt
    from tlnb.evaluate import evaluate
    home = tmp_path_factory.mktemp('compared')
    def train(name, **how):
        recipe = Recipe.for_tabular(data=str(home/'people.csv'), target='pays', sensitive=['sex'], run_seeds=2, run_jobs=1, transfer_labels_needed=False,
            transfer_baselines=['majority', 'from_scratch'], bias_bootstrap=100, **how)
        run = adapt(load(recipe), folder=home/name/'run')
        evaluate(run)
        check_bias(run)
    people().to_csv(home/'people.csv', index=False)
    train('a', train_epochs=1, train_lr=1e-5), train('b', train_epochs=12)
    frame = people()
    frame.loc[:9, 'pays'] = frame.pays[:10].map(dict(yes='no', no='yes'))
    pd.concat([people(100, 1), frame[:600]]).to_csv(home/'people.csv', index=False)
    train('c', train_epochs=12)
    return home


def test_runs(made):
    from tlnb.adapt import Run
    c = compare(made/'a', made/'b')
    assert c.verdict == 'better' and c.same_data and c.rows['common'] == c.rows['a'] == c.rows['b'] == 200
    assert [(o['key'], o['a'], o['b']) for o in c.recipe] == [('train.epochs', 1, 12), ('train.lr', 1e-5, .005)] and c.bias and {o['what'] for o in c.size} == {'parameters', 'bytes', 'seconds'}
    assert c.a['name'] == 'a' and c.flips['count'] == c.flips['better'] + c.flips['worse']
    judged = json.loads((made/'b'/'run'/'judgement.json').read_text())['arms']['from_scratch']
    assert next(o['b'] for o in c.scores if o['metric'] == 'accuracy') == pytest.approx(judged['value'])
    assert compare(Run.load(made/'a'), made/'b'/'run').to_dict()['scores'] == c.to_dict()['scores']


def test_changed_data(made):
    "The old data is gone: what was judged is in the run folder"
    c = compare(made/'b', made/'c')
    assert not c.same_data and 0 < c.rows['common'] < 200 and c.flips['n'] == c.rows['common'] - c.rows['relabelled']
    (made/'b'/'run'/'judged.json').rename(made/'aside')
    with pytest.raises(StoreError, match='no longer what this run was trained on'): compare(made/'b', made/'c')
    (made/'aside').rename(made/'b'/'run'/'judged.json')


def test_kept_rows_are_those_of_the_data(made):
    from tlnb.adapt import Run
    run = Run.load(made/'c')
    kept, fresh = judged_rows(run), judged_of(run.dataset)
    assert kept.to_dict() == fresh.to_dict() and kept.ids[0].startswith('row ')


def packaged(made, name, run, rows, version='1.0'):
    folder = made/f'{name}-{rows}'/'triage'
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(dict(classes=['no', 'yes'], compare=portrait(made/run, name=f'triage {version}', rows=rows)))
    (folder/'model.json').write_text(text)
    return folder.parent


def test_packages(made):
    a, b = (packaged(made, *o) for o in (('p', 'a', 'labels'), ('q', 'b', 'labels', '1.1')))
    c, whole = compare(a, b), compare(made/'a', made/'b')
    assert c.a['name'] == 'triage 1.0' and c.rows['common'] == 200 and c.flips['count'] == whole.flips['count'] and not c.notes == whole.notes
    assert {o['metric'] for o in c.scores if o['paired']} == {'accuracy', 'balanced_accuracy', 'f1'} and all(o['interval'] for o in c.scores)
    mixed = compare(made/'a', b/'triage')   # a run beside a package: its own ids
    assert mixed.flips['count'] == whole.flips['count'] and {o['id'] for o in mixed.flips['items']} == {o['id'] for o in whole.flips['items']}


def test_a_wheel_without_rows(made):
    a, b = (packaged(made, *o) for o in (('p', 'a', 'none'), ('q', 'b', 'none', '1.1')))
    with zipfile.ZipFile(made/'triage-1.1-py3-none-any.whl', 'w') as z: z.write(b/'triage'/'model.json', 'triage/model.json')
    c = compare(a, made/'triage-1.1-py3-none-any.whl')
    assert c.flips is None and c.rows['common'] is None and not any(o['paired'] for o in c.scores) and c.verdict and any('unpaired' in o for o in c.notes) and c._repr_html_() and c.lines()


def wheel_of(project, run, version, rows):
    "What an export leaves of the model and its rows: the project's model.json, a wheel of it, and rows beside that"
    from tlnb.portrait import keep_rows
    (project/'triage').mkdir(parents=True, exist_ok=True)
    (project/'dist').mkdir(exist_ok=True)
    said = portrait(run, name=f'triage {version}', rows='plain')
    (project/'triage'/'model.json').write_text(json.dumps(dict(compare=said | dict(rows=None))))
    keep_rows(project, 'triage', said['rows'] if rows else None)
    with zipfile.ZipFile(wheel := project/'dist'/f'triage-{version}-py3-none-any.whl', 'w') as z: z.write(project/'triage'/'model.json', 'triage/model.json')
    return wheel


def test_rows_beside_the_wheel(made, tmp_path):
    "Two versions show which answers changed, by the ids of their rows, wherever one points in the project; a wheel elsewhere does not, and says how"
    whole = compare(made/'a', made/'b').flips
    a, b = (wheel_of(tmp_path/'p', made/run, version, True) for run, version in (('a', '1.0'), ('b', '1.1')))
    for new in (b, tmp_path/'p', tmp_path/'p'/'triage', made/'b'): assert compare(a, new).flips == whole, new
    assert b'row 1' not in b''.join(zipfile.ZipFile(b).read(o) for o in zipfile.ZipFile(b).namelist())
    assert compare(packaged(made, 'h', 'a', 'labels'), b).flips['count'] == whole['count']
    assert not list((tmp_path/'p'/'dist').glob('*.json')), 'nothing but wheels for who uploads dist/*'
    away = tmp_path/b.name
    away.write_bytes(b.read_bytes())
    c = compare(a, away)
    assert c.flips is None and any('there of triage 1.1 (' in o and '--rows labels' in o and 'dist' in o for o in c.notes) and any('flips        not known' in o for o in c.lines())


def test_rows_of_another_export_do_not_count(made, tmp_path):
    "Rows belong to one model.json: those of a draft that was made anew, or of a version that keeps none, are not taken; a damaged file is one line"
    a = wheel_of(tmp_path/'p', made/'a', '1.0', True)
    kept = tmp_path/'p'/'dist'/'.rows'/'triage-1.0.json'
    old = kept.read_bytes()
    b = wheel_of(tmp_path/'q', made/'b', '1.0', True)
    assert side_of(a).rows and side_of(b).rows
    (tmp_path/'q'/'dist'/'.rows'/'triage-1.0.json').write_bytes(old)
    assert side_of(b).rows is None
    kept.write_text('{')
    with pytest.raises(StoreError, match='the file is damaged'): side_of(a)
    kept.write_bytes(old)
    wheel_of(tmp_path/'p', made/'a', '1.0', False)
    assert not kept.exists() and side_of(a).rows is None


def test_nothing_raw_in_a_package(made):
    text = json.dumps(portrait(made/'b', name='triage 1.0', rows='labels'))
    assert '"row ' not in text and str(made) not in text and 'seconds' not in text and text == json.dumps(portrait(made/'b', name='triage 1.0', rows='labels'))
    assert json.loads(json.dumps(portrait(made/'b', name='triage 1.0')))['rows'] is None
    with pytest.raises(RecipeError, match='none, labels or plain'): portrait(made/'b', name='x', rows='all')


def test_command(made, capsys):
    from tlnb.cli import main
    assert main(['compare', str(made/'a'), str(made/'b')]) == 0
    out = capsys.readouterr().out
    assert out.startswith('verdict      better: b was') and 'train.epochs: 1 -> 12' in out and 'judged rows:' in out
    assert main(['compare', str(made/'a'), str(made/'b'), '--json']) == 0
    assert json.loads(capsys.readouterr().out)['verdict'] == 'better'


def broken(home):
    "Places that cannot be compared, and what is said of each"
    (home/'empty').mkdir()
    (home/'text.whl').write_text('no wheel')
    with zipfile.ZipFile(home/'other.whl', 'w') as z: z.writestr('other/__init__.py', '')
    for name, text in (('bad', '{'), ('silent', '{}'), ('newer', '{"compare": {"schema": 99}}'), ('part', '{"compare": {"schema": 1, "name": "x"}}')):
        (home/name).mkdir()
        (home/name/'model.json').write_text(text)
    return dict(nowhere='no such file or folder', empty='neither a run nor a package', bad='model.json cannot be read', silent='says nothing that could be compared', newer='made by a newer tlnb',
        part='is damaged') | {'text.whl': 'the wheel cannot be read', 'other.whl': 'no model in this wheel'}


def test_bad_input(made, tmp_path, capsys):
    from tlnb.cli import main
    for name, said in broken(tmp_path).items():
        assert main(['compare', str(made/'a'), str(tmp_path/name)]) == 2
        err = capsys.readouterr().err
        assert said in err and err.count('\n') == 1, (name, err)


@pytest.mark.parametrize('key, said', [('origins', ''), ('environment', ''), ('base', ''), ('fingerprint', ''), ('recipe', 'what the run says of itself is damaged'), ('schema', 'the file is damaged')])
def test_a_run_that_says_little(made, tmp_path, capsys, key, said):
    "An older run.json, or one that was made by hand: what it does not say is not compared, and without its recipe there is one line"
    import shutil
    from tlnb.cli import main
    shutil.copytree(made/'b', tmp_path/'b')
    whole = json.loads((tmp_path/'b/run/run.json').read_text())
    for more in ({}, {key: [1]}) if said else ({}, {key: None}):
        (tmp_path/'b/run/run.json').write_text(json.dumps({k: v for k,v in whole.items() if k != key} | more))
        assert main(['compare', str(made/'a'), str(tmp_path/'b')]) == (2 if said else 0)
        err = capsys.readouterr().err
        assert (said in err and err.count('\n') == 1) if said else not err, err


def test_the_learner_of_a_run_says_who_takes_rows(made):
    from tlnb.adapt import Run
    run = Run.load(made/'c')
    row = run.dataset.frame.iloc[0]
    with pytest.raises(DataError, match=r'^the learner of a run takes batches of tensors[^\n]*ask run.predict\(rows\)$'): run.learner.predict(row)
    assert run.predict(row.to_frame().T).shape[0] == 1


def test_another_target_with_the_same_classes(made, tmp_path, capsys):
    "A package of loans beside a run of people: exit 2, also where no row is shared that would tell"
    from tlnb.cli import main
    folder = packaged(made, 'loans', 'b', 'none')
    said = json.loads((folder/'triage/model.json').read_text())
    said['compare'] |= dict(target='defaulted', fingerprint='of other data')
    (folder/'triage/model.json').write_text(json.dumps(said))
    for pair in ((folder, made/'a'), (made/'a', folder)):
        assert main(['compare', *map(str, pair)]) == 2
        out,err = capsys.readouterr()
        assert 'other targets: ' in err and err.count('\n') == 1 and not out


def test_a_stopped_run(made):
    run = made/'a'/'run'
    kept = (run/'judgement.json').read_text()
    (run/'judgement.json').write_text(json.dumps(json.loads(kept) | dict(stopped=True)))
    with pytest.raises(StoppedError, match='the run was stopped before everything was trained'): compare(made/'a', made/'b')
    (run/'judgement.json').write_text(kept)
    (run/'judged.json').rename(made/'aside')
    (run/'judged.json').write_text('{"task": 1}')
    with pytest.raises(StoreError, match='the file is damaged'): side_of(made/'a')
    (made/'aside').replace(run/'judged.json')
