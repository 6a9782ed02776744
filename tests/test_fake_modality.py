"A modality of 50 lines goes through every stage: if it cannot, the protocol is wrong."
import json
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from tlnb.assessment import DataWarning
from tlnb.dataset import Reading, register
from tlnb.recipe import Recipe


def signals(n=160, shift=0., seed=0):
    "Short signals as text, and whether they rise: one row each"
    rng = np.random.default_rng(seed)
    rises = rng.integers(0, 2, n)
    x = (2*rises-1)[:, None]*np.linspace(-1, 1, 6) + shift + rng.normal(0, .7, (n, 6))
    return pd.DataFrame(dict(signal=[' '.join(f'{v:.4f}' for v in row) for row in x], rises=np.where(rises, 'yes', 'no'), who=rng.choice(['a', 'b'], n)))

def numbers(frame): return np.array([[float(v) for v in s.split()] for s in frame.signal])

# ---- the modality: 50 lines
class Scale:
    target = None
    def __init__(self, mean, std): self.mean,self.std = mean,std
    def to_dict(self): return dict(mean=self.mean, std=self.std)

class Linear:
    def fit(self, frame, y):
        from sklearn.linear_model import LogisticRegression
        self.model = LogisticRegression().fit(numbers(frame), y)
        return self
    def score(self, frame): return self.model.predict_proba(numbers(frame))

class Signals:
    name = 'signals'
    def read(self, recipe):
        df = pd.read_csv(recipe.data.path)
        return Reading(df[['signal']], df[recipe.data.target], df[recipe.data.sensitive or []].astype(str), sha256=str(pd.util.hash_pandas_object(df).sum()))
    def keys(self, frame): return frame.signal, frame.signal.str.replace(r'\.\d+', '', regex=True) + frame.index.astype(str)
    def warnings(self, dataset): return [DataWarning('id_like_column', 'none: this only shows that a modality can warn', 0)]
    def prepare(self, dataset, rows, source=None):
        x = numbers(dataset.frame.iloc[rows])
        return source.prep if source else Scale(float(x.mean()), float(x.std()))
    def model(self, prep, task, n_out, recipe=None, arch=None):
        from torch import nn
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.features,self.head,self.arch = nn.Sequential(nn.Linear(6, 8), nn.ReLU()), nn.Linear(8, n_out), dict(n_out=n_out)
            def forward(self, x): return self.head(self.features(x))
        return Net()
    def learner(self, model, prep, dataset, fit_rows, valid_rows, recipe, seed):
        from fastai.data.core import DataLoaders
        from fastai.learner import Learner
        from fastai.losses import CrossEntropyLossFlat
        from tlnb.loaders import BatchLoader, Tensors
        import torch
        def rows(r): return Tensors(self.tensor(prep, dataset.frame.iloc[r]), torch.tensor(dataset.y[r]))
        loaders = [BatchLoader(rows(fit_rows), bs=16, shuffle=True, seed=seed), BatchLoader(rows(valid_rows), bs=999)]
        return Learner(DataLoaders(*loaders), model, loss_func=CrossEntropyLossFlat(), splitter=lambda m: [list(o.parameters()) for o in (m.features, m.head)])
    def tensor(self, prep, frame):
        import torch
        return torch.tensor((numbers(frame) - prep.mean)/prep.std, dtype=torch.float32)
    def score(self, model, prep, frame):
        import torch
        with torch.no_grad(): return model.eval()(self.tensor(prep, frame)).double().softmax(1).numpy()
    def simple(self, task, seed): return dict(logistic_regression=Linear())
    def restore(self, prep): return Scale(**prep)

class Halves:
    "Features of a signal: its first and its second half"
    def features(self, dataset): return ['first half', 'second half']
    def background(self, dataset, n, seed): return dataset.frame.iloc[dataset.train[:n]]
    def mask(self, rows, background, hidden):
        x, b = numbers(rows), numbers(background)
        out = np.where(np.repeat(hidden, 3, axis=1)[:, None], b[None], x[:, None]).reshape(-1, 6)
        return pd.DataFrame(dict(signal=[' '.join(f'{v:.6f}' for v in row) for row in out]))

@dataclass
class Carried:
    classes:list
    share:float = 1.
    def to_dict(self): return vars(self)

class Copy:
    def carry(self, source, dataset, prep, recipe):
        net = dataset.kind.model(prep, dataset.task, len(dataset.classes))
        net.load_state_dict(source.model.state_dict())
        return net, Carried(dataset.classes)
    def embed(self, model, prep, frame, view=0, seed=0):
        import torch
        with torch.no_grad(): return model.features(Signals().tensor(prep, frame)).numpy()
    def bank_key(self, model, prep): return 'signals' # kept on disk, to go that way too
    def views(self, recipe): return 0
# ---- end of the modality


@pytest.fixture
def recipes(tmp_path, monkeypatch):
    "Recipes for a source domain and a target domain of the fake modality"
    from tlnb import dataset as floor, recipe
    monkeypatch.setattr(recipe, 'MODALITIES', (*recipe.MODALITIES, 'signals'))
    monkeypatch.setattr(floor, '_registry', dict(floor._registry))
    for kind, o in (('modality', Signals), ('masker', Halves), ('featurizer', Copy)): register(kind, 'signals', o)
    signals(300).to_csv(tmp_path/'source.csv', index=False)
    signals(160, .5, 1).to_csv(tmp_path/'target.csv', index=False)
    settings = {'data.target': 'rises', 'data.sensitive': ['who'], 'train.epochs': 6, 'run.seeds': 2, 'run.jobs': 1, 'bias.bootstrap': 200, 'explain.items': 2, 'run.cache': str(tmp_path/'cache')}
    def make(name, **more): return Recipe.of('signals', {**settings, 'data.path': str(tmp_path/f'{name}.csv'), **more})
    return make


def test_every_stage(recipes, tmp_path):
    from tlnb import adapt, card, check_bias, evaluate, explain, load, report
    from tlnb.adapt import Run

    first = adapt(load(recipes('source')), folder=tmp_path/'first')
    assert first.best[0] == 'from_scratch'
    recipe = recipes('target', **{'source.name': str(tmp_path/'first')})
    dataset = load(recipe)
    assert [w.code for w in dataset.assess().warnings if w.code == 'id_like_column']
    run = adapt(dataset, folder=tmp_path/'run')
    assert {'source_unchanged', 'feature_extraction', 'fine_tuning'} <= set(run.arms())
    judgement = evaluate(run).to_dict()
    assert judgement['transfer']['verdict'] in ('helped', 'no_difference', 'hurt')
    assert {t['feature'] for t in explain(run).to_dict()['items'][0]['top']} == {'first half', 'second half'}
    assert check_bias(run, by='who').to_dict()['verdict'] in ('pass', 'fail', 'undecided')
    card(run)
    report(run)
    said = json.loads((tmp_path/'run'/'report.json').read_text())
    assert said['modality'] == 'signals' and said['arms']['simple']['value'] > .7

    again = Run.load(tmp_path/'run')
    assert again.best == run.best
    np.testing.assert_array_equal(again.predict(dataset.frame), run.predict(dataset.frame))
