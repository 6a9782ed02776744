"The run folder under hostile conditions: two processes, killed owners, full and read-only disks."
import json, os, signal, subprocess, sys, tempfile, threading, time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tlnb.errors import StoreError
from tlnb.store import RunFolder, atomic_write, load_tensors, run_key, save_tensors, tensor_meta, to_json

ROOT = Path(__file__).resolve().parent.parent

HOLD = '''
import sys, time
from tlnb.store import RunFolder
with RunFolder(sys.argv[1]).lock(): print('held', flush=True); time.sleep(float(sys.argv[2]))
'''

def hold(path, seconds):
    "A process that holds the run for so many seconds"
    p = subprocess.Popen([sys.executable, '-c', HOLD, str(path), str(seconds)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert p.stdout.readline() == 'held\n'
    return p

def one_line(error):
    line = str(error.value)
    assert line and '\n' not in line
    return line

def recipe(**training): return SimpleNamespace(modality='tabular', part=lambda affects: training if affects == 'training' else None)


def test_key():
    a = run_key(recipe(a=1, b=[1, 2]), 'data', 'source')
    assert len(a) == 16 and int(a, 16) >= 0
    assert a == run_key(recipe(b=[1, 2], a=1), 'data', 'source')
    others = [run_key(recipe(a=1, b=[2, 1]), 'data', 'source'), run_key(recipe(a=1, b=[1, 2]), 'data2', 'source'), run_key(recipe(a=1, b=[1, 2]), 'data', '')]
    assert len({a, *others}) == 4

def test_second_process_is_told_who_holds(tmp_path):
    p = hold(tmp_path, 60)
    try:
        t = time.time()
        with pytest.raises(StoreError) as e:
            with RunFolder(tmp_path).lock(wait=0.3): pass
        assert 0.3 <= time.time() - t < 5
        assert f'process {p.pid} on ' in one_line(e) and RunFolder(tmp_path).holder()['pid'] == p.pid
    finally: p.kill(); p.wait()

def test_second_process_waits(tmp_path):
    p = hold(tmp_path, 0.5)
    with RunFolder(tmp_path).lock(wait=30) as run: assert run.holder()['pid'] == os.getpid()
    p.wait()
    assert RunFolder(tmp_path).holder() is None and not (tmp_path/'owner.json').exists()

def test_dead_owner_is_taken_over_at_once(tmp_path):
    p = hold(tmp_path, 60)
    p.send_signal(signal.SIGKILL); p.wait()
    run = RunFolder(tmp_path)
    assert json.loads((tmp_path/'owner.json').read_text())['pid'] == p.pid # stale, and not believed:
    assert run.holder() is None
    with run.lock(wait=0): assert run.holder()['pid'] == os.getpid()

ORPHANS = """
import os, sys, time
from joblib import Parallel, delayed
from tlnb.store import RunFolder
from orphan_work import work
run = RunFolder(sys.argv[1])
with run.lock(): Parallel(n_jobs=2)(delayed(work)(run, i) for i in range(6))
"""
WORK = """
import os, time
def work(run, i):
    (run.path/f'begun-{i}').touch()
    until = time.time() + 30
    while not run.stop_requested() and time.time() < until: time.sleep(0.02)
    (run.path/f'ended-{i}').touch()
"""

@pytest.mark.skipif(os.name == 'nt', reason='parents of Unix')
def test_workers_of_a_dead_owner_stop(tmp_path):
    (tmp_path/'orphan_work.py').write_text(WORK)
    p = subprocess.Popen([sys.executable, '-c', ORPHANS, str(tmp_path/'run')], cwd=ROOT, start_new_session=True,
                         env={**os.environ, 'PYTHONPATH': f'{ROOT}{os.pathsep}{tmp_path}'})
    def seen(what): return {o.name.split('-')[1] for o in tmp_path.glob(f'run/{what}-*')}
    try:
        until = time.time() + 60
        while len(seen('begun')) < 2 and time.time() < until: time.sleep(0.05)
        assert len(seen('begun')) >= 2 and not seen('ended')
        p.kill(); p.wait() # the owner only
        until = time.time() + 10
        while len(seen('ended')) < 2 and time.time() < until: time.sleep(0.05)
        assert len(seen('ended')) >= 2
    finally:
        with suppress(ProcessLookupError): os.killpg(p.pid, signal.SIGKILL)

def test_same_thread_again_other_thread_not(tmp_path):
    run,said = RunFolder(tmp_path),[]
    def other():
        try:
            with RunFolder(tmp_path).lock(wait=0.1): said.append('locked')
        except StoreError as e: said.append(str(e))
    with run.lock(wait=0), RunFolder(tmp_path).lock(wait=0):
        t = threading.Thread(target=other); t.start(); t.join()
    assert f'process {os.getpid()}' in said[0]
    other()
    assert said[1] == 'locked'

def test_lock_survives_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError):
        with RunFolder(tmp_path).lock(): 1/0
    with RunFolder(tmp_path).lock(wait=0): pass

def test_sweeps_what_a_killed_writer_left(tmp_path):
    old,young = tmp_path/'arms'/'.a.json.1-1.tmp',tmp_path/'.b.json.1-1.tmp'
    old.parent.mkdir()
    for o in (old, young): o.write_text('{')
    os.utime(old, (0, 0))
    with RunFolder(tmp_path).lock(): pass
    assert not old.exists() and young.exists()

def test_another_key_and_clear(tmp_path):
    run = RunFolder(tmp_path/'run').create('a'*16, {'modality': 'tabular'})
    assert run.create('a'*16).meta['modality'] == 'tabular'
    with pytest.raises(StoreError) as e: run.create('b'*16)
    assert 'another run' in one_line(e)
    atomic_write(run.piece('simple', 0)/'result.json', '{}')
    with run.lock():
        run.clear()
        run.create('b'*16)
    assert run.meta['key'] == 'b'*16
    assert sorted(o.name for o in run.path.iterdir() if o.name != '.lock') == ['run.json']

@pytest.mark.parametrize('text', ['', '{', '[1]', '\x00\x00'])
def test_damaged_run_json(tmp_path, text):
    (tmp_path/'run.json').write_text(text)
    with pytest.raises(StoreError) as e: RunFolder(tmp_path).meta
    assert 'damaged' in one_line(e)

def test_no_run_and_newer_run(tmp_path):
    with pytest.raises(StoreError) as e: RunFolder(tmp_path).meta
    assert 'no run here' in one_line(e)
    (tmp_path/'run.json').write_text('{"schema": 99, "key": "x"}')
    with pytest.raises(StoreError) as e: RunFolder(tmp_path).meta
    assert 'newer tlnb' in one_line(e)

@pytest.mark.parametrize('name', ['', '/etc/passwd', '../x', 'a/../../x', 'a\\b', 'C:x', 'a\nb', 'a\0b'])
def test_names_stay_inside(tmp_path, name):
    with pytest.raises(StoreError) as e: RunFolder(tmp_path/'run').write_json(name, {})
    one_line(e)
    assert not list(tmp_path.rglob('*x*'))

def test_links_stay_inside(tmp_path):
    (tmp_path/'run').mkdir()
    (tmp_path/'run'/'out').symlink_to(tmp_path)
    with pytest.raises(StoreError): RunFolder(tmp_path/'run').write_json('out/x.json', {})

def test_a_file_in_the_way(tmp_path):
    (tmp_path/'file').write_text('precious')
    run = RunFolder(tmp_path/'file')
    for act in (lambda: run.create('a'), run.request_stop, lambda: run.lock().__enter__(), lambda: RunFolder(tmp_path/'file'/'run').create('a')):
        with pytest.raises(StoreError) as e: act()
        assert 'a file stands where a folder is needed' in one_line(e)
    assert (tmp_path/'file').read_text() == 'precious'

def refusals(path):
    run,lines = RunFolder(path),[]
    for act in (lambda: run.create('a'), run.request_stop, lambda: run.lock().__enter__()):
        try: act()
        except StoreError as e: lines.append(str(e))
    return '\n'.join(lines)

def as_nobody(f, *args):
    "What `f` returns in a process that may not do what root may"
    r,w = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)
            os.write(w, f(*args).encode())
        finally: os._exit(0)
    os.close(w); os.waitpid(pid, 0)
    with open(r, 'rb') as o: return o.read().decode()

@pytest.mark.skipif(not hasattr(os, 'fork'), reason='permissions of Unix')
def test_unwritable_parent():
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o555)
        lines = as_nobody(refusals, d + '/run').splitlines()
        assert len(lines) == 3 and all(o.startswith('no permission: ') for o in lines), lines
        assert not os.listdir(d)

@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path/'disk'
    disk.mkdir()
    if sys.platform != 'linux' or subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', str(disk)], capture_output=True).returncode:
        pytest.skip('no right to mount a small disk')
    yield disk
    subprocess.run(['umount', str(disk)])

def test_full_disk(small_disk):
    run = RunFolder(small_disk/'run').create('a'*16)
    run.write_json('keep.json', {'kept': 1})
    with pytest.raises(StoreError) as e: run.write_json('keep.json', {'kept': 'x'*4_000_000})
    assert 'the disk is full' in one_line(e)
    with pytest.raises(StoreError) as e: save_tensors(run.piece('simple', 0)/'p.safetensors', {'judged': np.zeros(1_000_000)})
    assert 'the disk is full' in one_line(e)
    assert run.read_json('keep.json') == {'kept': 1}
    assert sorted(o.name for o in run.path.rglob('*') if o.is_file()) == ['keep.json', 'run.json']
    with open(small_disk/'ballast', 'wb', buffering=0) as f, suppress(OSError):
        while True: f.write(b'0'*4096) # until not a byte is left
    with pytest.raises(StoreError) as e:
        with run.lock(): pass
    assert 'the disk is full' in one_line(e) and run.holder() is None

def test_tensors(tmp_path):
    import torch
    a = {'f': np.arange(12.).reshape(3, 4).T, 'i': np.array(7), 'b': np.array([True]), 'none': np.zeros((0, 3), dtype=np.float32)}
    save_tensors(tmp_path/'a.safetensors', a, meta={'scores': [0.1, 1e-300]})
    back = load_tensors(tmp_path/'a.safetensors')
    for k,v in a.items(): assert back[k].dtype == v.dtype and back[k].shape == v.shape and (back[k] == v).all()
    assert tensor_meta(tmp_path/'a.safetensors') == {'scores': [0.1, 1e-300]}
    w = torch.randn(4, 4)
    save_tensors(tmp_path/'t.safetensors', {'w': w, 'tied': w, 'view': w[1:], 'half': w.bfloat16()})
    back = load_tensors(tmp_path/'t.safetensors', 'torch')
    assert torch.equal(back['tied'], w) and torch.equal(back['view'], w[1:]) and back['half'].dtype == torch.bfloat16
    assert tensor_meta(tmp_path/'t.safetensors') == {}

@pytest.mark.parametrize('data', [b'', b'junk', b'\xff'*64, b'\x08\0\0\0\0\0\0\0notjson!'])
def test_damaged_tensors(tmp_path, data):
    (tmp_path/'a.safetensors').write_bytes(data)
    for read in (load_tensors, tensor_meta):
        with pytest.raises(StoreError) as e: read(tmp_path/'a.safetensors')
        assert 'damaged' in one_line(e)
    with pytest.raises(StoreError) as e: load_tensors(tmp_path/'none.safetensors')
    assert 'no such file' in one_line(e)

def test_json_is_plain():
    class Value:
        def to_dict(self): return {'x': np.int64(3)}
    obj = {'a': (1, 2), 2: float('inf'), 'v': Value(), 's': {'b', 'a'}, 'n': np.array([[np.nan, 1.5]]), 'ok': np.bool_(True)}
    assert json.loads(to_json(obj)) == {'a': [1, 2], '2': None, 'v': {'x': 3}, 's': ['a', 'b'], 'n': [[None, 1.5]], 'ok': True}
    with pytest.raises(TypeError): to_json(object())

KILLED = '''
import sys
from tlnb.store import atomic_write
i = 0
while True:
    atomic_write(sys.argv[1], f'{i} ' * 20_000, durable=False)
    if i == 0: print('begun', flush=True)
    i += 1
'''

def test_killed_while_writing_leaves_a_whole_file(tmp_path):
    for delay in (0.01, 0.023, 0.051):
        p = subprocess.Popen([sys.executable, '-c', KILLED, str(tmp_path/'x')], stdout=subprocess.PIPE, cwd=ROOT)
        p.stdout.readline(); time.sleep(delay); p.kill(); p.wait()
        assert len(set((words := (tmp_path/'x').read_text().split()))) == 1 and len(words) == 20_000
