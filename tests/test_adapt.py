"Runs: resumed, stopped, shared between processes, and the same whoever trains them."
import json, os, subprocess, sys, threading, time

import numpy as np
import pytest

from tlnb.errors import RecipeError, StoreError
from tlnb.recipe import Recipe

SMALL = dict(data='loans', train_epochs=4, run_seeds=2, run_jobs=1, tabular_layers=[16])


@pytest.fixture(scope='module')
def dataset():
    from tlnb.dataset import load
    return load(Recipe.for_tabular(**SMALL))

@pytest.fixture(scope='module')
def run(dataset, tmp_path_factory):
    from tlnb.adapt import adapt
    return adapt(dataset, folder=tmp_path_factory.mktemp('run')/'run')


def test_without_a_source_the_network_is_trained_from_scratch(run):
    assert set(run.arms()) == {'from_scratch'} and run.best[0] == 'from_scratch'

def test_the_same_recipe_is_read_and_not_trained(run, dataset, capsys):
    from tlnb.adapt import adapt
    before = {f: f.stat().st_mtime_ns for f in run.folder.path.rglob('result.json')}
    adapt(dataset, folder=run.folder.path)
    assert 'is there already' in capsys.readouterr().out
    assert before == {f: f.stat().st_mtime_ns for f in run.folder.path.rglob('result.json')}

def test_fresh_trains_anew(dataset, tmp_path):
    from tlnb.adapt import adapt
    adapt(dataset, folder=tmp_path/'run')
    before = (tmp_path/'run'/'arms'/'from_scratch'/'seed-0'/'result.json').stat().st_mtime_ns
    adapt(dataset, folder=tmp_path/'run', fresh=True)
    assert (tmp_path/'run'/'arms'/'from_scratch'/'seed-0'/'result.json').stat().st_mtime_ns > before

def test_another_recipe_needs_another_folder(run, dataset):
    from tlnb.adapt import adapt
    with pytest.raises(StoreError, match='train.lr differs'): adapt(dataset, dataset.recipe.with_({'train.lr': .1}), folder=run.folder.path)

def test_another_recipe_for_the_data_needs_another_dataset(dataset, tmp_path):
    from tlnb.adapt import adapt
    with pytest.raises(RecipeError, match='data.drop'): adapt(dataset, dataset.recipe.with_({'data.drop': ['age']}), folder=tmp_path/'run')

def test_workers_and_this_process_come_to_the_same(run, dataset, tmp_path, monkeypatch):
    from tlnb import adapt as _, load
    adapting = sys.modules['tlnb.adapt']
    monkeypatch.setattr(adapting, 'WORKER_START', -1)
    side_by_side = adapting.adapt(load(Recipe.for_tabular(**{**SMALL, 'run_jobs': 2})), folder=tmp_path/'run')
    for seed in run.seeds:
        for part in ('judged', 'valid'):
            np.testing.assert_array_equal(side_by_side.predictions('from_scratch', seed)[part], run.predictions('from_scratch', seed)[part])

def test_a_moved_run_opens(run, tmp_path):
    import shutil
    from tlnb.adapt import Run
    shutil.copytree(run.folder.path, tmp_path/'moved', ignore=shutil.ignore_patterns('.lock'))
    moved = Run.load(tmp_path/'moved')
    assert moved.best == run.best
    frame = run.dataset.frame.head()
    assert moved.predict(frame).equals(run.predict(frame))

def test_stop_keeps_the_best(dataset, run, tmp_path):
    from tlnb.adapt import adapt
    long = dataset.recipe.with_({'train.epochs': 4000, 'train.patience': 4000, 'run.seeds': 1})
    out = tmp_path/'run'
    def ask():
        while not list(out.glob('arms/from_scratch/*/history.json')): time.sleep(.05)
        (out/'stop').touch()
    t = threading.Thread(target=ask)
    t.start()
    stopped = adapt(dataset, long, folder=out)
    t.join()
    [r] = stopped.arms()['from_scratch']
    assert stopped.stopped and r['status'] == 'stopped' and 0 < r['epochs'] < 4000
    assert len(stopped.predict(dataset.frame.head(2))) == 2
    assert 'stopped' in stopped._repr_html_()

WORKER = '''
import sys
from tlnb.dataset import load
from tlnb.recipe import Recipe
from tlnb.adapt import adapt
adapt(load(Recipe.for_tabular(data='loans', train_epochs=4000, train_patience=4000, run_seeds=1, run_jobs=1)), folder=sys.argv[1])
'''

def test_two_processes_want_one_run(dataset, tmp_path):
    from tlnb.adapt import adapt
    out = tmp_path/'run'
    other = subprocess.Popen([sys.executable, '-W', 'ignore', '-c', WORKER, str(out)])
    try:
        end = time.monotonic() + 120
        while not list(out.glob('progress/from_scratch*')) and time.monotonic() < end and other.poll() is None: time.sleep(.1)
        with pytest.raises(StoreError, match=f'held by process {other.pid}'): adapt(dataset, folder=out)
        other.kill()
        other.wait()
        with pytest.raises(StoreError, match='differ'): adapt(dataset, folder=out) # free at once, though it holds another run
    finally: other.kill()

def test_rows_to_predict(run, dataset):
    "A frame, a list of dicts, rows without some columns; rows that have none of the columns are refused"
    from tlnb.errors import DataError
    frame = dataset.frame.head(2)
    assert run.predict(frame.to_dict('records')).equals(run.predict(frame))
    assert len(run.predict(frame[['age', 'income']])) == 2
    with pytest.raises(DataError, match='no known column'): run.predict([{'colour': 'red'}])

def test_a_metric_of_another_task_is_refused_before_anything_is_written(dataset, tmp_path):
    from tlnb.adapt import adapt
    with pytest.raises(RecipeError, match='no metric of classification: transfer.metric'):
        adapt(dataset, dataset.recipe.with_({'transfer.metric': 'rmse'}), folder=tmp_path/'run')
    assert not (tmp_path/'run').exists()
