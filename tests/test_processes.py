"Two processes that train one network end where one process ends."
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from tlnb.dataset import load
from tlnb.processes import agreed, launch, position, train_together
from tlnb.recipe import Recipe
from tlnb.store import RunFolder, load_tensors
from tlnb.training import Phase, fit

PHASES = [Phase('head', 1, .01, -1), Phase('all', 2, 'find')] # frozen layers, and rates that are found


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    "Dark and light noise; 43 pictures leave a last batch of three, of which two processes have all and none"
    folder,rng = tmp_path_factory.mktemp('pictures'),np.random.default_rng(0)
    for i in range(60):
        x = rng.integers(0, 120, (16, 16, 3)) + 40*(i % 2)
        (to := folder/['dark', 'light'][i % 2]).mkdir(exist_ok=True)
        Image.fromarray(x.astype('uint8')).save(to/f'{i:02}.png')
    return load(Recipe.for_vision(data=str(folder), vision_size=16, vision_augment='none', vision_freeze_norm='yes', train_dropout=0., train_epochs=3, train_batch_size=8, vision_scratch='tiny'))

def trained(dataset, folder, stop_in=None):
    "History and weights of a fit; in process `stop_in` somebody asks to stop"
    torch.set_num_threads(1)
    torch.manual_seed(0)
    kind,recipe = dataset.kind,dataset.recipe
    fit_rows,valid_rows = np.arange(43),np.arange(43, 60)
    prep = kind.prepare(dataset, fit_rows)
    model = kind.model(prep, dataset.task, 2, recipe)
    model.pretrained = True # only what has statistics of its own may keep them, and only then two halves of a batch are one batch
    learner = kind.learner(model, prep, dataset, fit_rows, valid_rows, recipe, 0)
    result = fit(learner, PHASES, folder, every=0., stop=lambda: position()[0] == stop_in and learner.train_iter > 7)
    assert learner.dls.train.part == (0, 1) and not isinstance(learner.model, torch.nn.parallel.DistributedDataParallel)
    return result, {k: v.numpy() for k,v in learner.model.state_dict().items()}

def close(a, b):
    (r, v), (s, w) = a, b
    assert r.epochs == s.epochs == 3 and r.stopped == s.stopped == 'finished' and len(v) == len(w)
    for x,y in zip(r.history, s.history):
        assert x['phase'] == y['phase'] and abs(x['train_loss'] - y['train_loss']) < 1e-5 and abs(x['valid_loss'] - y['valid_loss']) < 1e-5
    for k in v: np.testing.assert_allclose(v[k], w[k], atol=1e-4)

def test_two_processes_train_as_one(dataset, tmp_path):
    one,two = trained(dataset, tmp_path/'one'),launch(2, trained, dataset, tmp_path/'two')
    close(one, two)
    assert one[0].lr == pytest.approx(two[0].lr) and one[0].history[-1]['train_loss'] < one[0].history[0]['train_loss']
    assert load_tensors(tmp_path/'two/checkpoint.safetensors')

def test_a_stop_that_one_notices_stops_all_and_is_resumed(dataset, tmp_path):
    part,_ = launch(2, trained, dataset, tmp_path/'broken', 1)
    assert part.stopped == 'stop' and 0 < part.epochs < 3
    shutil.copytree(tmp_path/'broken', tmp_path/'other')
    two,one,whole = launch(2, trained, dataset, tmp_path/'broken'),trained(dataset, tmp_path/'other'),trained(dataset, tmp_path/'whole')
    assert two[0].resumed == one[0].resumed == part.epochs
    close(whole, two)
    close(whole, one)

def test_a_piece_is_written_once(dataset, tmp_path):
    from tlnb.arms import train_piece
    folder = RunFolder(tmp_path)
    folder.request_stop()
    assert train_together(2, train_piece, dataset, 'from_scratch', 0, folder)['status'] == 'stopped'
    folder.clear_stop()
    said = train_together(2, train_piece, dataset, 'from_scratch', 0, folder)
    assert said['status'] == 'done' and said['epochs'] == 3
    assert {o.name for o in folder.piece('from_scratch', 0).iterdir()} == {'result.json', 'history.json', 'predictions.safetensors', 'model.safetensors', 'model.json', 'moments.safetensors'}

def fails(): raise KeyError('here') if position()[0] else torch.distributed.barrier()

def test_a_failure_in_one_process_ends_all():
    assert launch(2, position) == (0, 2) and position() == (0, 1) and launch(1, position) == (0, 1)
    with pytest.raises(KeyError, match='here'): launch(2, fails)

def test_alone_nothing_is_asked_of_others():
    loss = torch.tensor(1.)
    assert agreed(loss, 3, True) == (loss, 3, True)
