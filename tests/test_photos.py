"Real photos with real pretrained weights: what the files of a folder and a file of weights come to"
import pytest
from tlnb.recipe import Recipe

FLOOR = {'squeezenet1_0': ('squeezenet1_0_deepcompression.pth', .91), 'mobilenet_v2': ('mobilenet_v2_coral_dequant.pth', .96)}


@pytest.fixture(scope='module')
def photos(data_dir, tmp_path_factory):
    "catsdogs with a source: its own folders are the split, 100 a class to train on, 50 judged"
    from tlnb.dataset import load
    cache = tmp_path_factory.mktemp('cache')
    def make(**more): return load(Recipe.for_vision(data=str(data_dir/'catsdogs'), run_cache=str(cache), run_jobs=1, vision_views=0, **more))
    return make

@pytest.mark.parametrize('arch', FLOOR)
def test_feature_extraction(photos, data_dir, tmp_path, arch):
    from tlnb.adapt import adapt
    from tlnb.evaluate import evaluate
    file, floor = FLOOR[arch]
    run = adapt(photos(source=str(data_dir/'weights'/file), arch=arch, strategy='feature_extraction', run_seeds=3, transfer_labels_needed=False), folder=tmp_path/'run')
    j = evaluate(run, baselines=('from_scratch',))
    assert j.arms['feature_extraction']['value'] >= floor
    assert j.transfer['versus'] == 'from_scratch' and j.transfer['verdict'] == 'helped' and j.transfer['interval'][0] > 0

def blank(folder):
    "A network that has learned nothing, as a source"
    import torch
    from tlnb.source import Fitted
    from tlnb.vision.net import TinyNet
    from tlnb.vision.prep import IMAGENET, PicturePrep
    torch.manual_seed(0)
    return str(Fitted('vision', 'classification', ['a', 'b'], PicturePrep(64, 'crop', *map(list, IMAGENET)), TinyNet(2), dict(name='blank')).save(folder/'blank'))

def test_ranking(photos, data_dir, tmp_path):
    "ImageNet's networks promise more on photos than our own source and than weights that have learned nothing"
    from tlnb.rank import rank
    dataset = photos(vision_size=128)
    files = {str(data_dir/'weights'/file): arch for arch,(file,_) in FLOOR.items()}
    found = {o['source']: o['score'] for o in rank(dataset, sources=files, verify=0).rows}
    ours = {o['source']: o['score'] for o in rank(dataset, sources=['shapes', blank(tmp_path)], verify=0).rows}
    assert found.keys() == files.keys() and min(found.values()) > max(ours.values())
