"Training pictures as a network sees them, in a grid that eyes and screen readers can use."
import base64, io, random, re

import numpy as np
import pytest
import torch
from PIL import Image

from tlnb.dataset import load
from tlnb.errors import RecipeError
from tlnb.recipe import Recipe
from tlnb.vision.preview import augmented, level_words, mixed, sampled


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    to,rng = tmp_path_factory.mktemp('pictures'),np.random.default_rng(0)
    for i in range(24):
        d = to/['cat', '<b>dog'][i % 2]
        d.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20 + i, 30, 3), dtype='uint8')).save(d/f'{i:02}.png')
    return to

def dataset(folder, **options): return load(Recipe.for_vision(data=str(folder), **{'vision_size': 24, **options}))

def pictures(html): return [np.asarray(Image.open(io.BytesIO(base64.b64decode(o)))) for o in re.findall(r'src="data:image/png;base64,([^"]+)"', html)]

def test_the_first_is_unchanged_the_others_are_not(folder):
    data = dataset(folder, vision_augment='strong')
    html = augmented(data, 3, 2)
    found = pictures(html)
    assert len(found) == 9 and all(o.shape == (24, 24, 3) for o in found)
    assert html.count('<tr>') == 4 and 'strong: turned by up to 20°' in html and '24 × 24' in html
    alts = re.findall('alt="(.*?)"', html)
    assert len(alts) == 9 and alts[0].endswith('unchanged') and alts[1].endswith('version 1') and '<b>' not in html.replace('&lt;b>', '') and '<script' not in html
    rows = sampled(data, 3, 0)
    from tlnb.vision.prep import PicturePrep
    np.testing.assert_array_equal(found[0], PicturePrep(24, 'crop', [.5]*3, [.5]*3).encode(data.frame.iloc[rows])[0].transpose(1, 2, 0))
    assert not any(np.array_equal(found[3*i], found[3*i+k]) for i in range(3) for k in (1, 2))

def test_the_same_seed_shows_the_same_and_leaves_generators_alone(folder):
    data = dataset(folder, vision_mix='mixup')
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    first = augmented(data, 3, 2)
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before
    random.seed(9); np.random.seed(9); torch.manual_seed(9)
    assert first == augmented(data, 3, 2) != augmented(data, 3, 2, seed=1)

def test_without_changes_versions_are_the_picture(folder):
    found = pictures(augmented(dataset(folder, vision_augment='none'), 2, 2))
    assert all(np.array_equal(found[3*i], found[3*i+k]) for i in range(2) for k in (1, 2))

def test_mixes_are_those_of_a_training():
    x = torch.stack([torch.full((3, 8, 8), float(o)) for o in (0, 1, 0, 1)])
    assert mixed(x, 'none', 0) is x and mixed(x[:1], 'mixup', 0) is not None
    patched = [mixed(x, 'cutmix', k) for k in range(8)]
    assert all(set(o.unique().tolist()) <= {0., 1.} for o in patched) and any((o != x).any() for o in patched)
    blended = [mixed(x, 'mixup', k) for k in range(8)]
    assert any(((o > 0) & (o < 1)).any() for o in blended) and all((o.flatten(1).max(1)[0] == o.flatten(1).min(1)[0]).all() for o in blended)
    assert x.unique().tolist() == [0, 1] and 'mixup' in level_words('none', 'mixup') and 'mirrored' not in level_words('light')

def test_classes_take_turns_and_fewer_pictures_are_no_error(folder):
    data = dataset(folder)
    assert sorted(data.y[sampled(data, 2, 0)]) == [0, 1] and set(sampled(data, 4, 0)) <= set(data.train)
    assert len(sampled(data, 99, 0)) == len(data.train)
    with pytest.raises(RecipeError, match='no preview'): augmented(data, 0)

def test_the_strategy_panel_shows_them(folder):
    from tlnb.strategy_panel import strategy_panel
    html = strategy_panel(dataset(folder, vision_scratch='tiny')).html
    assert 'Random changes' in html and len(pictures(html)) == 15
    assert 'Random changes' not in strategy_panel(load(Recipe.for_tabular(data='loans'))).html
