"Progress of a run that is written by several processes, and read while it is."
import subprocess, sys
from pathlib import Path

import pytest

from tlnb.progress import Progress, plan_progress, read_progress

ROOT = Path(__file__).resolve().parent.parent
WRITER = """
import sys
from tlnb.progress import Progress
p = Progress(sys.argv[1], 500, sys.argv[2]).start('working')
p.every = 0.
for _ in range(500): p.step()
p.finish()
"""

def test_several_processes(tmp_path):
    plan_progress(tmp_path, {f'simple-seed-{i}': 500 for i in range(3)})
    writers = [subprocess.Popen([sys.executable, '-c', WRITER, str(tmp_path), f'simple-seed-{i}'], cwd=ROOT) for i in range(3)]
    seen = [read_progress(tmp_path)]
    while any(o.poll() is None for o in writers): seen.append(read_progress(tmp_path))
    assert all(o.returncode == 0 for o in writers)
    assert [o['done'] for o in seen] == sorted(o['done'] for o in seen) and {o['total'] for o in seen} == {1500}
    end = read_progress(tmp_path)
    assert (end['done'], end['fraction'], end['eta_s'], end['now']) == (1500, 1., 0., 'working')

def test_nothing_there(tmp_path):
    assert read_progress(tmp_path/'no') == dict(done=0, total=0, fraction=0., eta_s=None, now='', updated=0.)

@pytest.mark.parametrize('junk', [b'', b'{', b'[1]', b'null', b'\xff', b'{"done": 1}'])
def test_junk_counts_as_not_begun(tmp_path, junk):
    plan_progress(tmp_path, {'a': 10, 'b': 10})
    Progress(tmp_path, 10, 'a').start('a').step(4)
    (tmp_path/'progress'/'b.json').write_bytes(junk)
    o = read_progress(tmp_path)
    assert (o['total'], o['now']) == (20, 'a')
    (tmp_path/'progress.json').write_bytes(junk)
    assert read_progress(tmp_path)['total'] == 10

def test_an_earlier_session_says_nothing_about_speed(tmp_path):
    Progress(tmp_path, 10, 'a').start('a').step(10)
    plan_progress(tmp_path, {'a': 10, 'b': 10})
    o = read_progress(tmp_path)
    assert (o['done'], o['total'], o['eta_s']) == (10, 20, None)

def test_never_more_than_all(tmp_path):
    p = Progress(tmp_path, 3).start('x', done=5)
    p.step(9)
    assert read_progress(tmp_path)['fraction'] == 1.
