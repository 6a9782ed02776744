"What the learning-rate finder sees is what a training with `lr = 'find'` uses."
import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from tlnb.arms import train_piece
from tlnb.dataset import load
from tlnb.errors import RecipeError
from tlnb.rates import lr_curve
from tlnb.recipe import Recipe
from tlnb.store import RunFolder
from tlnb.training import LRCurve

SMALL = dict(train_lr='find', train_epochs=2, train_head_epochs=1, run_seeds=1)

@pytest.fixture(scope='module')
def planted(tmp_path_factory):
    "Two numbers whose product decides"
    rng,file = np.random.default_rng(0),tmp_path_factory.mktemp('data')/'planted.csv'
    x = rng.normal(size=(600, 2)).round(3)
    pd.DataFrame(dict(a=x[:, 0], b=x[:, 1], y=np.where(x.prod(1) > 0, 'yes', 'no'))).to_csv(file, index=False)
    return load(Recipe.for_tabular(data=str(file), target='y', tabular_layers=[16], **SMALL))

def test_a_training_uses_exactly_the_suggestion(planted, tmp_path):
    for seed in (0, 3):
        seen = lr_curve(planted, 'from_scratch', seed)
        assert 1e-4 < seen.suggestion < .5 and not seen.fallback
        assert train_piece(planted, 'from_scratch', seed, RunFolder(tmp_path))['lr'] == [seen.suggestion]

@pytest.mark.parametrize('arm', ['feature_extraction', 'fine_tuning'])
def test_of_a_source_too_and_nothing_else_changes(arm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = load(Recipe.for_tabular(data='loans', source='loans', run_cache=str(tmp_path/'cache'), **SMALL))
    before = data.fingerprint, data.frame.copy(), np.random.get_state()[1].tolist()
    seen = lr_curve(data, arm)
    assert (data.fingerprint, np.random.get_state()[1].tolist()) == (before[0], before[2]) and data.frame.equals(before[1])
    assert {o.name for o in tmp_path.iterdir()} <= {'cache'}
    from tlnb.source import find_source
    assert train_piece(data, arm, 0, RunFolder(tmp_path/'run'), find_source(data.recipe, data, None))['lr'][0] == seen.suggestion
    assert seen.phase == 'head'

def test_the_curve_shows_itself():
    seen = LRCurve([1e-4, 1e-3, 1e-2], [1., .5, 2.], 1e-3, 'head')
    ax = seen.plot().axes[0]
    assert isinstance(seen.plot(), Figure) and ax.get_xscale() == 'log' and ax.lines[1].get_xdata()[0] == 1e-3
    assert '<svg' in seen._repr_html_() and '0.001' in seen._repr_html_() and '<script' not in seen._repr_html_()
    assert list(seen.to_frame()) == ['rate', 'loss'] and LRCurve(**json.loads(json.dumps(seen.to_dict()))) == seen
    assert 'never fell' in LRCurve([1.], [1.], 1e-3, fallback=True).words

def test_arms_without_a_network_are_one_line(planted):
    with pytest.raises(RecipeError, match='no arm that trains a network'): lr_curve(planted, 'majority')
    with pytest.raises(RecipeError, match='no source to transfer'): lr_curve(planted)
