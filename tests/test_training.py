"A fit that is stopped, interrupted or killed ends where an unbroken one ends, to the last bit."
import itertools, random, threading, time

import numpy as np
import pytest
import torch
from torch import nn

from learners import LEARNERS, PHASES, same, tabular, vision
from tlnb.errors import StoreError
from tlnb.store import RunFolder, load_tensors, tensor_meta
from tlnb.training import Phase, _Fit, find_lr, fit, forget


pytestmark = pytest.mark.usefixtures('one_thread')

def disturb():
    "What another process would differ in"
    for f in (random.seed, np.random.seed, torch.manual_seed): f(time.time_ns() % 2**31)

def after(n):
    "A stop that is asked for after `n` batches"
    count = itertools.count(1)
    return lambda: next(count) >= n

@pytest.fixture(scope='module')
def unbroken(tmp_path_factory):
    done = {}
    def get(kind):
        if kind not in done:
            learner = LEARNERS[kind]()
            done[kind] = learner, fit(learner, PHASES, tmp_path_factory.mktemp(kind), seed=4)
        return done[kind]
    return get


@pytest.mark.parametrize('kind', LEARNERS)
@pytest.mark.parametrize('batches', [(1,), (9,), (14,), (40,), (118,), (112, 4, 6, 1)])
def test_resumed_is_bit_identical(kind, batches, unbroken, tmp_path):
    for n in batches:
        disturb()
        part = fit(LEARNERS[kind](), PHASES, tmp_path, seed=4, stop=after(n), every=0)
        assert part.stopped == 'stop'
    disturb()
    learner = LEARNERS[kind]()
    result = fit(learner, PHASES, tmp_path, seed=4)
    whole,expected = unbroken(kind)
    assert result.history == expected.history and (result.lr, result.best_epoch) == (expected.lr, expected.best_epoch)
    assert same(learner, whole)
    assert [float(o) for o in learner.recorder.losses] == [float(o) for o in whole.recorder.losses]
    assert (learner.recorder.lrs, learner.recorder.iters) == (whole.recorder.lrs, whole.recorder.iters)
    learner.recorder.plot_loss()

@pytest.mark.parametrize('kind', ['tabular', 'vision'])
def test_resumed_between_any_two_epochs(kind, unbroken, tmp_path):
    result = None
    for _ in range(40): # one epoch a call
        rows = []
        learner = LEARNERS[kind]()
        result = fit(learner, PHASES, tmp_path, seed=4, every=0, stop=lambda: len(rows) == 1, progress=lambda *o: rows.append(o))
        if result.stopped != 'stop': break
        disturb()
    whole,expected = unbroken(kind)
    assert result.resumed >= 6 and result.history == expected.history and same(learner, whole)

def test_early_stop_and_handing_over_are_resumed_exactly(tmp_path):
    phases = [Phase('head', 12, 0.3, -1), Phase('all', 30, 0.3)]
    options = dict(seed=1, patience=2, warmup=0., every=0)
    whole = tabular()
    expected = fit(whole, phases, tmp_path/'whole', **options)
    assert expected.stopped == 'early' and expected.epochs < 42 and {o['phase'] for o in expected.history} == {'head', 'all'}
    assert sum(o['phase'] == 'head' for o in expected.history) < 12
    for k in range(1, expected.epochs):
        rows = []
        fit(tabular(), phases, tmp_path/f'{k}', stop=lambda: len(rows) == k, progress=lambda *o: rows.append(o), **options)
        again = tabular()
        result = fit(again, phases, tmp_path/f'{k}', **options)
        assert result.history == expected.history and result.stopped == 'early' and same(again, whole)

def test_best_weights_are_kept(tmp_path):
    learner = tabular()
    result = fit(learner, [Phase('all', 30, 0.1)], tmp_path, patience=30)
    losses = [o['valid_loss'] for o in result.history]
    assert result.best_epoch == 1 + int(np.argmin(losses)) < 30
    with learner.no_logging(): assert learner.validate()[0] == pytest.approx(min(losses), abs=1e-6)
    result.plot(); result.to_frame(); result.to_dict()

def test_called_again_answers_at_once(tmp_path, unbroken):
    whole,expected = unbroken('tabular')
    fit(tabular(), PHASES, tmp_path, seed=4)
    learner,calls = tabular(),[]
    result = fit(learner, PHASES, tmp_path, seed=4, progress=lambda *o: calls.append(o))
    assert not calls and result.history == expected.history and result.stopped == expected.stopped and same(learner, whole)
    forget(tmp_path)
    forget(tmp_path)
    assert not list(tmp_path.iterdir())

def test_stops_after_the_batch_at_hand(tmp_path):
    run,seen = RunFolder(tmp_path/'run'),[]
    class Watch(torch.nn.Module):
        def forward(self, pred, y):
            seen.append(1)
            if len(seen) == 17: run.request_stop()
            return nn.functional.cross_entropy(pred, y)
    learner = tabular()
    learner.loss_func = Watch()
    result = fit(learner, [Phase('all', 50, 0.01)], tmp_path, stop=run.stop_requested)
    assert (len(seen), result.stopped, result.interrupted) == (17, 'stop', False)
    assert result.epochs == 2 and result.best_epoch in (1, 2) # 7 batches an epoch
    run.clear_stop()
    assert fit(tabular(), [Phase('all', 3, 0.01)], tmp_path/'next', stop=run.stop_requested).stopped == 'finished'

def test_stop_before_the_first_epoch_ended(tmp_path):
    learner = tabular()
    before = {k: v.clone() for k,v in learner.model.state_dict().items()}
    result = fit(learner, PHASES, tmp_path, stop=after(3))
    assert (result.epochs, result.best_epoch, result.stopped) == (0, 0, 'stop')
    assert all(torch.equal(v, before[k]) for k,v in learner.model.state_dict().items())

def test_interrupt_is_a_stop(tmp_path, unbroken):
    learner,loss = tabular(),nn.CrossEntropyLoss()
    count = itertools.count()
    def interrupted(pred, y):
        if next(count) == 150: raise KeyboardInterrupt
        return loss(pred, y)
    learner.loss_func = interrupted
    result = fit(learner, PHASES, tmp_path, seed=4, every=0)
    assert result.stopped == 'stop' and result.interrupted and result.epochs > 1 and result.best_epoch > 0
    again = tabular()
    assert fit(again, PHASES, tmp_path, seed=4).history == unbroken('tabular')[1].history and same(again, unbroken('tabular')[0])
    with learner.no_logging(): learner.fit(1) # still a learner
    assert len(learner.recorder.values) == 1 and len(learner.cbs) == len(tabular().cbs)

def test_in_a_thread_it_is_the_same(tmp_path, unbroken):
    learner,results = tabular(),[]
    t = threading.Thread(target=lambda: results.append(fit(learner, PHASES, tmp_path, seed=4)))
    t.start(); t.join()
    assert results[0].history == unbroken('tabular')[1].history and same(learner, unbroken('tabular')[0])

def test_leaves_no_trace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for f in (random.seed, np.random.seed, torch.manual_seed): f(11)
    expected = random.random(), np.random.rand(), torch.rand(1).item()
    learner = tabular()
    for f in (random.seed, np.random.seed, torch.manual_seed): f(11)
    n = len(learner.cbs)
    fit(learner, PHASES, tmp_path/'piece')
    assert (random.random(), np.random.rand(), torch.rand(1).item()) == expected and len(learner.cbs) == n
    assert [o.relative_to(tmp_path).as_posix() for o in tmp_path.rglob('*')] == ['piece', 'piece/checkpoint.safetensors']

def test_quiet_with_progress_bars(tmp_path, capsys):
    from fastai.callback.progress import ProgressCallback
    learner = tabular(cbs=ProgressCallback())
    fit(learner, [Phase('all', 2, 0.01)], tmp_path)
    assert capsys.readouterr().out == '' and any(isinstance(o, ProgressCallback) for o in learner.cbs)

def test_checkpoint_of_another_training_is_refused(tmp_path):
    fit(tabular(), PHASES, tmp_path, seed=4, stop=after(120), every=0)
    for options in (dict(seed=5), dict(seed=4, patience=3)):
        with pytest.raises(StoreError, match='a checkpoint of another training'): fit(tabular(), PHASES, tmp_path, **options)
    with pytest.raises(StoreError, match='another'): fit(vision(), PHASES, tmp_path, seed=4)
    (tmp_path/'checkpoint.safetensors').write_bytes(b'\0'*100)
    with pytest.raises(StoreError, match='damaged'): fit(tabular(), PHASES, tmp_path, seed=4)

def test_checkpoint_that_cannot_be_written(tmp_path):
    (tmp_path/'file').write_text('')
    with pytest.raises(StoreError, match='a file stands where a folder is needed') as e: fit(tabular(), PHASES, tmp_path/'file', every=0)
    assert '\n' not in str(e.value)

def test_checkpoint_holds_no_pickle(tmp_path):
    fit(tabular(), PHASES, tmp_path, seed=4, stop=after(135), every=0)
    file = tmp_path/'checkpoint.safetensors'
    assert {o.split('.')[0] for o in load_tensors(file)} == {'model', 'best', 'opt', 'recorder'}
    meta = tensor_meta(file)
    assert set(meta['random']) == {'python', 'numpy', 'torch', '0.rng', '1.rng'} and meta['threads'] == 1 and meta['place']['phase'] == 1

def test_threads_of_the_checkpoint(tmp_path, unbroken):
    whole,_ = unbroken('tabular') # with one thread
    fit(tabular(), PHASES, tmp_path, seed=4, stop=after(130), every=0)
    torch.set_num_threads(2)
    used,learner = [],tabular()
    fit(learner, PHASES, tmp_path, seed=4, progress=lambda *o: used.append(torch.get_num_threads()))
    assert set(used) == {1} and torch.get_num_threads() == 2 and same(learner, whole)

def test_frozen_stays_frozen_and_rates_differ_by_depth(tmp_path):
    learner,rates = tabular(),[]
    before = {k: v.clone() for k,v in learner.model.state_dict().items()}
    fit(learner, [Phase('head', 3, 0.01, -1)], tmp_path/'head', lr_factor=2., progress=lambda *o: rates.append([h['lr'] for h in learner.opt.hypers]))
    changed = {k.split('.')[0] for k,v in learner.model.named_parameters() if not torch.equal(v, before[k])} - {'body'} # its batch-norm trains on
    assert changed == {'head'} and torch.equal(learner.model.body[0].weight, before['body.0.weight'])
    assert all(c == pytest.approx(2*b) == pytest.approx(4*a) for a,b,c in rates)
    # frozen again after it was free: weight decay must not move it
    learner,kept = tabular(),{}
    def note(epoch, total, row):
        if epoch == 2: kept.update({k: v.clone() for k,v in learner.model.state_dict().items()})
    fit(learner, [Phase('all', 2, 0.01), Phase('head', 3, 0.01, -1)], tmp_path/'again', weight_decay=0.5, progress=note)
    assert torch.equal(learner.model.emb.weight, kept['emb.weight']) and not torch.equal(learner.model.head.weight, kept['head.weight'])

def test_finder_puts_everything_back(tmp_path):
    learner,states,found = tabular(),[],[]
    class Spy(_Fit):
        def begin(self, phase):
            from tlnb.checkpoint import capture
            learner.opt.clear_state()
            states.append(capture(learner))
            found.append(find_lr(learner, 2.6).suggestion)
            states.append(capture(learner))
            raise KeyboardInterrupt
    import tlnb.training as training
    original,training._Fit = training._Fit,Spy
    try: assert fit(learner, [Phase('all', 3, 'find')], tmp_path).interrupted
    finally: training._Fit = original
    (a, m), (b, n) = states
    assert set(a) == set(b) and all(torch.equal(a[k], b[k]) for k in a) and m == n
    assert 1e-4 < found[0] < 1

def test_diverged(tmp_path):
    learner = tabular()
    before = {k: v.clone() for k,v in learner.model.state_dict().items()}
    learner.loss_func = lambda pred, y: (pred * float('nan')).sum()
    result = fit(learner, [Phase('all', 5, 0.1), Phase('more', 5, 'find')], tmp_path, patience=2, warmup=0.)
    assert (result.best_epoch, result.stopped, result.epochs) == (0, 'early', 4)
    assert all(torch.equal(v, before[k]) for k,v in learner.model.state_dict().items())

def test_nothing_to_train(tmp_path):
    learner = tabular()
    result = fit(learner, [Phase('head', 0, 0.1)], tmp_path)
    assert (result.epochs, result.stopped, result.history) == (0, 'finished', [])

def test_learns(unbroken):
    assert unbroken('tabular')[1].history[-1]['accuracy'] > 0.6
