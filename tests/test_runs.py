"Runs of a folder: every run is told, a damaged one hides no other, and what is deleted was a run that nobody holds"
import json, os, re, subprocess, sys, time
from pathlib import Path

import pytest

from tlnb.errors import StoreError
from tlnb.runs import METRICS, OWN, compare_runs, delete_run, describe, headline_of, runs, verdict_of
from tlnb.store import RunFolder

ROOT = Path(__file__).resolve().parent.parent
ARMS = dict(simple=dict(metric='accuracy', value=.745, interval=[.71, .78], inner=.75, metrics=dict(accuracy=.745, roc_auc=.8)),
    fine_tuning=dict(metric='accuracy', value=.861, interval=[.84, .88], inner=.74, metrics=dict(accuracy=.861, roc_auc=.9)))
TRANSFER = dict(verdict='helped', best='fine_tuning', versus='simple', gain=.116, metric='accuracy')
JUDGED = dict(metric='accuracy', arms=ARMS, transfer=TRANSFER, notes=[])

def make(path, judged=None, created='2026-01-01T00:00:00+00:00', fingerprint='f', **values):
    "A run folder as `adapt` and `evaluate` leave it; values as section_key"
    recipe = dict(modality='tabular', run=dict(seed=0), data=dict(path='people.csv', target='income'), train=dict(epochs=40))
    for k, v in values.items(): recipe.setdefault(k.split('_')[0], {})[k.split('_', 1)[1]] = v
    run = RunFolder(path).create('k', dict(modality='tabular', recipe=recipe, fingerprint=fingerprint, created=created))
    if judged: run.write_json('judgement.json', judged)
    return run

def one_line(e): assert '\n' not in str(e.value) and str(e.value); return str(e.value)

def files(path): return sorted(str(o.relative_to(path)) for o in path.rglob('*'))


def test_lists_all_kinds_newest_first(tmp_path):
    make(tmp_path/'tlnb-runs'/'a-1', JUDGED, '2026-01-02T00:00:00+00:00')
    make(tmp_path/'tlnb-runs'/'a-2'/'run', created='2026-01-04T00:00:00+00:00')   # by `tlnb run`
    make(tmp_path/'out'/'run', created='2026-01-03T00:00:00+00:00')
    make(tmp_path/'own', created='2026-01-01T00:00:00+00:00')
    for o in ('data', 'tlnb-runs/empty', 'out2/run', '.hidden'): (tmp_path/o).mkdir(parents=True)
    make(tmp_path/'.hidden'/'run'); make(tmp_path/'deep'/'er'/'still')
    (tmp_path/'file').write_text('')
    found = runs(tmp_path)
    assert [o.name for o in found] == ['a-2', 'out', 'a-1', 'own']
    assert [o.path.relative_to(tmp_path).as_posix() for o in found] == ['tlnb-runs/a-2/run', 'out/run', 'tlnb-runs/a-1', 'own']
    for o in found: json.dumps(o.to_dict()); assert o.name in o._repr_html_() and o.name in found._repr_html_()

def test_a_run_tells_of_itself(tmp_path):
    run = make(tmp_path/'a', JUDGED)
    (run.path/'report.html').write_text('<p>')
    info = describe(run.path)
    assert (info.state, info.target, info.modality, info.headline) == ('done', 'income', 'tabular', 'accuracy 0.861')
    assert info.verdict == dict(state='good', text='helped: +11.6 points') and info.report == run.path/'report.html' and not info.note
    assert '✓' in info._repr_html_() and describe(make(tmp_path/'o'/'run').path.parent).name == 'o'

def test_report_beside_the_run(tmp_path):
    make(tmp_path/'o'/'run')
    (tmp_path/'o'/'report.html').write_text('<p>')
    (tmp_path/'report.html').write_text('of another')
    assert describe(tmp_path/'o').report == tmp_path/'o'/'report.html' and describe(make(tmp_path/'p').path).report is None

@pytest.mark.parametrize('verdict, metric, gain, state, text', [
    ('helped', 'accuracy', .116, 'good', 'helped: +11.6 points'), ('hurt', 'rmse', -3.14159, 'bad', 'hurt: -3.14'),
    ('no_difference', 'roc_auc', 0., 'open', 'no difference shown: +0.0 points'), ('not_applicable', 'r2', None, 'none', 'not judged')])
def test_verdicts(verdict, metric, gain, state, text):
    assert verdict_of(dict(transfer=dict(verdict=verdict, metric=metric, gain=gain))) == dict(state=state, text=text)

def test_headline():
    arms = {k: {**o, 'metric': 'rmse'} for k, o in ARMS.items()}
    none = dict(verdict='not_applicable', best=None, gain=None)
    assert headline_of(dict(arms=ARMS, transfer={**none, 'metric': 'accuracy'})) == 'accuracy 0.745' # the best on the inner split
    assert headline_of(dict(arms=arms, transfer={**none, 'metric': 'rmse'})) == 'RMSE 0.861'         # there less is better
    assert headline_of(dict(arms=dict(simple=dict(skipped='no')), transfer={**none, 'metric': 'r2'})) == ''
    nothing = dict(arms=dict(simple=dict(metric='r2', value=None, inner=None)), transfer={**none, 'metric': 'r2'})
    assert headline_of(nothing) == ''

def test_metrics_are_those_that_judge():
    from tlnb.metrics import METRICS as ALL
    from tlnb.runs import _LESS_IS_BETTER, _NOT_IN_POINTS
    every = {m.name: m for ms in ALL.values() for m in ms.values()}
    assert METRICS == {k: m.words for k, m in every.items()}
    assert _LESS_IS_BETTER == {k for k, m in every.items() if not m.higher}
    assert _NOT_IN_POINTS == {k for k, m in every.items() if (m.lo, m.hi) != (0, 1)}

def test_states(tmp_path):
    run = make(tmp_path/'a')
    def state(): return describe(run.path).state
    assert state() == 'unfinished'
    run.write_json('progress.json', dict(began=1., parts={'simple-seed-0': 2}))
    run.write_json('progress/simple-seed-0.json', dict(total=2, done=1, before=0, now='', updated=2.))
    assert state() == 'unfinished'
    run.write_json('progress/simple-seed-0.json', dict(total=2, done=2, before=0, now='', updated=3.))
    assert state() == 'done'
    run.request_stop()
    assert state() == 'stopped'
    with run.lock(): assert state() == 'running'
    run.clear_stop(); (run.path/'progress.json').unlink(); run.write_json('judgement.json', JUDGED)
    assert state() == 'done'
    (run.path/'owner.json').write_text(json.dumps(dict(pid=1, host='elsewhere', since='')))  # a killed owner has left it
    assert state() == 'done'

def test_looking_does_not_touch_the_lock_of_a_free_run(tmp_path, monkeypatch):
    "or it would now and then be in the way of a process that begins, and that does not wait"
    run = make(tmp_path/'a')
    with run.lock(): pass
    monkeypatch.setattr(RunFolder, 'holder', lambda self: pytest.fail('probed'))
    assert describe(run.path).state == 'unfinished'

DAMAGE = ['', '{', '[1]', '\0', '{"schema": "x"}', '{"schema": 99}', '{"key": 1}', '{"schema": 1, "recipe": 5}', '{"schema": 1, "recipe": {"data": [1]}}',
    pytest.param('[' * 100_000, id='deep')]

@pytest.mark.parametrize('text', DAMAGE)
def test_damaged_run_is_told(tmp_path, text):
    for name in ('a', 'b'): make(tmp_path/name, JUDGED)
    (tmp_path/'b'/'run.json').write_text(text)
    a, b = sorted(runs(tmp_path), key=lambda o: o.name)
    assert a.state == 'done' and b.verdict == dict(state='bad', text='unreadable') and b.note and '\n' not in b.note
    assert 'unreadable' in b._repr_html_()
    with pytest.raises(StoreError) as e: compare_runs(tmp_path/'a', tmp_path/'b')
    one_line(e)

@pytest.mark.parametrize('text', ['{', '[]', '{"arms": {}}', '{"arms": 1, "transfer": {"verdict": "helped"}}', '{"transfer": {"verdict": "maybe"}}', '\xff'])
def test_damaged_judgement_is_told(tmp_path, text):
    run = make(tmp_path/'b')
    (run.path/'judgement.json').write_bytes(text.encode('latin1'))
    assert describe(run.path).verdict is None or describe(run.path).note

def test_links_are_not_followed(tmp_path):
    out = make(tmp_path/'elsewhere'/'a', JUDGED).path
    (tmp_path/'in').mkdir()
    (tmp_path/'in'/'a').symlink_to(out); (tmp_path/'in'/'tlnb-runs').symlink_to(out.parent)
    (tmp_path/'in'/'b').mkdir(); (tmp_path/'in'/'b'/'run').symlink_to(out)
    assert not runs(tmp_path/'in')
    (tmp_path/'in'/'c').mkdir(); (tmp_path/'in'/'c'/'run.json').symlink_to(out/'run.json')
    assert runs(tmp_path/'in')[0].note

def test_no_folder(tmp_path):
    with pytest.raises(StoreError) as e: runs(tmp_path/'none')
    assert 'no such folder' in one_line(e)
    assert not runs(tmp_path) and 'No runs here' in runs(tmp_path)._repr_html_()


def test_compare(tmp_path):
    b = dict(JUDGED, arms={**ARMS, 'majority': dict(metric='accuracy', value=.6, interval=None, inner=.6), 'source_unchanged': dict(skipped='no source')})
    make(tmp_path/'a', JUDGED); make(tmp_path/'b'/'run', b, train_epochs=80, source_name='loans')
    c = compare_runs(tmp_path/'a', tmp_path/'b')
    assert c.recipe == [dict(key='train.epochs', a=40, b=80), dict(key='source.name', a=None, b='loans')]
    assert [o['arm'] for o in c.arms] == ['simple', 'fine_tuning', 'majority']
    assert c.arms[0] == dict(arm='simple', metric='accuracy', a=dict(value=.745, interval=[.71, .78]), b=dict(value=.745, interval=[.71, .78]))
    assert c.arms[2]['a'] is None and c.same_data and not c.notes
    assert json.loads(json.dumps(c.to_dict()))['b']['name'] == 'b'
    assert 'train.epochs' in c._repr_html_() and '0.745 (0.710 to 0.780)' in c._repr_html_()

def test_compare_says_what_cannot_be_compared(tmp_path):
    make(tmp_path/'a', JUDGED)
    make(tmp_path/'other', JUDGED, fingerprint='g'); make(tmp_path/'seed', JUDGED, run_seed=1); make(tmp_path/'bare')
    auc = dict(JUDGED, metric='roc_auc', transfer={**TRANSFER, 'metric': 'roc_auc'}, arms={k: {**o, 'metric': 'roc_auc', 'value': o['metrics']['roc_auc']} for k, o in ARMS.items()})
    make(tmp_path/'auc', auc)
    def with_(name): return compare_runs(tmp_path/'a', tmp_path/name)
    assert not with_('other').same_data and 'The data differ' in with_('other').notes[0] and 'The data differ' in with_('other')._repr_html_()
    assert with_('seed').same_data and 'run.seed differs' in with_('seed').notes[0]
    assert with_('bare').notes == ['bare was not judged yet.'] and with_('bare').arms[0]['b'] is None
    make(tmp_path/'both', auc, fingerprint='g')
    assert len(with_('both').notes) == 2 and len(compare_runs(tmp_path/'bare', make(tmp_path/'bare2', fingerprint='g').path).notes) == 3
    assert 'accuracy and ROC-AUC' in with_('auc').notes[0] and with_('auc').arms[0]['b'] == dict(value=.745, interval=None)
    assert not compare_runs(tmp_path/'bare', tmp_path/'bare').arms and 'do not differ' in compare_runs(tmp_path/'bare', tmp_path/'bare')._repr_html_()
    with pytest.raises(StoreError) as e: with_('none')
    assert 'no run here' in one_line(e)


def test_delete(tmp_path):
    make(tmp_path/'keep', JUDGED); run = make(tmp_path/'go', JUDGED)
    for o in ('arms/simple/seed-0/result.json', 'curve/n-20/simple/seed-0/result.json', 'progress/x.json'): run.write_json(o, {})
    assert delete_run(run.path) == []
    assert sorted(o.name for o in tmp_path.iterdir()) == ['keep'] and [o.name for o in runs(tmp_path)] == ['keep']

def test_delete_of_an_output_keeps_what_lies_beside(tmp_path):
    make(tmp_path/'o'/'run', JUDGED)
    for o in ('notebook.ipynb', 'report.html'): (tmp_path/'o'/o).write_text('')
    with pytest.raises(StoreError, match='no run here'): delete_run(tmp_path/'o')
    assert [o.name for o in delete_run(tmp_path/'o'/'run')] == ['notebook.ipynb', 'report.html'] == files(tmp_path/'o')

def refused(path, why, root):
    before = files(root)
    with pytest.raises(StoreError) as e: delete_run(path)
    assert why in one_line(e) and files(root) == before

def test_what_is_not_deleted(tmp_path):
    run = make(tmp_path/'a', JUDGED)
    (tmp_path/'link').symlink_to(run.path)
    refused(tmp_path/'link', 'a link', tmp_path)
    refused(tmp_path, 'no run here', tmp_path)
    refused(tmp_path/'none', 'no run here', tmp_path)
    (run.path/'notes.txt').write_text('mine')
    refused(run.path, 'notes.txt', tmp_path)
    (run.path/'notes.txt').unlink()
    text = (run.path/'run.json').read_text()
    for bad in ('{}', '{', '{"schema": 99}'):
        (run.path/'run.json').write_text(bad)
        refused(run.path, '', tmp_path)
    (run.path/'run.json').unlink(); (tmp_path/'elsewhere.json').write_text(text)
    (run.path/'run.json').symlink_to(tmp_path/'elsewhere.json')
    refused(run.path, 'a link', tmp_path)

HOLD = 'import sys, time; from tlnb.store import RunFolder\nwith RunFolder(sys.argv[1]).lock(): print("held", flush=True); time.sleep(60)'

def test_a_held_run_is_not_deleted(tmp_path):
    run = make(tmp_path/'a', JUDGED)
    p = subprocess.Popen([sys.executable, '-c', HOLD, str(run.path)], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        p.stdout.readline()
        assert describe(run.path).state == 'running'
        refused(run.path, f'held by process {p.pid}', tmp_path)
        (run.path/'owner.json').rename(tmp_path/'owner')  # held, and not said yet
        refused(run.path, 'held by', tmp_path)
        (tmp_path/'owner').rename(run.path/'owner.json')
    finally: p.kill(); p.wait()
    assert describe(run.path).state == 'done'  # the owner is dead
    delete_run(run.path)
    assert not list(tmp_path.iterdir())

def test_links_inside_are_removed_and_not_followed(tmp_path):
    run = make(tmp_path/'a')
    (tmp_path/'precious').mkdir(); (tmp_path/'precious'/'x').write_text('x')
    (run.path/'arms').symlink_to(tmp_path/'precious')
    delete_run(run.path)
    assert files(tmp_path) == ['precious', 'precious/x']

def test_cut_off_deletion_leaves_no_half_run(tmp_path, monkeypatch):
    run = make(tmp_path/'a', JUDGED)
    monkeypatch.setattr('shutil.rmtree', lambda *args, **options: None)
    with pytest.raises(StoreError) as e: delete_run(run.path)
    assert 'could not be removed' in one_line(e) and not runs(tmp_path) and not run.path.exists()

def test_every_file_of_a_run_is_known():
    "Or a run that holds it could not be deleted"
    names = set()
    for path in (ROOT/'tlnb').rglob('*.py'):
        if path.name in ('gallery.py', 'runs.py', 'server.py'): continue
        text = path.read_text()
        names |= {o.split('/')[0] for o in re.findall(r"(?:write_json|folder\.file|place\.file|run\.file|self\.file)\(f?'([^'{]+)", text)}
    assert {'run.json', 'judgement.json', 'arms'} <= names and names <= OWN, names - OWN
