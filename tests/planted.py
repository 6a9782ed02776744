"A run of made-up predictions whose truth is known: all that `evaluate` asks of a run"
from types import SimpleNamespace

import numpy as np
import pandas as pd

from tlnb.metrics import score_all
from tlnb.recipe import Recipe
from tlnb.store import RunFolder

SOURCE = dict(name='made up', origin='a test', parameters=10, licence='', sha256='0'*64)


class Planted:
    "Arms of known accuracy (or, for numbers, known R2); the same rows are hard for all; seeds scatter; a curve rises by `slope` a doubling"
    def __init__(self, folder, arms, *, n=1200, n_train=320, seeds=3, scatter=.008, slope=.04, seed=0, classes=2, cluster=None, skipped=(),
                 source=SOURCE, stop_after=None, **options):
        rng = np.random.default_rng(seed)
        self.recipe = Recipe.for_tabular(data='made up', target='y', run_seeds=seeds, **options).resolve()
        self.folder, self.truth, self.scatter, self.slope, self.seed = RunFolder(folder), arms, scatter, slope, seed
        self.source, self.skipped, self.stop_after, self.trained, self.n_train = source, dict(skipped), stop_after, [], n_train
        y = rng.integers(0, classes, 2*n) if classes else rng.normal(10, 2, 2*n)
        cluster = np.arange(2*n) if cluster is None else np.r_[np.arange(n) + n, np.asarray(cluster)]
        self.dataset = SimpleNamespace(task='classification' if classes else 'regression', classes=[f'c{i}' for i in range(classes)], target='y',
            n_train=n_train, n_judged=n, judged=np.arange(n, 2*n), y=y, cluster=cluster, modality='tabular', frame=pd.DataFrame({'x': np.arange(2*n)}),
            ids=[f'row {i + 1}' for i in range(2*n)], fingerprint='made up', sha256='', recipe=self.recipe)
        self.hard = rng.uniform(size=2*n)

    def _share(self, arm, size, rng):
        drop = self.slope*np.log2(self.n_train/(size or self.n_train))
        return np.clip(self.truth[arm] - drop + self.scatter*rng.normal(), .01, 1)

    def predictions(self, arm, seed, size=None):
        rng = np.random.default_rng([self.seed, seed, size or 0, *arm.encode()])
        y, share = self.dataset.y, self._share(arm, size, rng)
        if not self.dataset.classes: p = (y + np.sqrt(1 - share)*2*rng.normal(size=len(y)))[:, None]
        else:
            k = len(self.dataset.classes)
            mix = .6*self.hard + .4*rng.uniform(size=len(y))
            said = np.where(mix < np.quantile(mix, share), y, (y + 1) % k)
            p = np.full((len(y), k), .2/(k - 1))
            p[np.arange(len(y)), said] = .8
        return dict(judged=p[self.dataset.judged], valid=p[:80], valid_rows=np.arange(80))

    def _piece(self, arm, seed, size):
        about = dict(arm=arm, seed=seed, reason=self.skipped.get(arm, ''), status='skipped' if arm in self.skipped else 'done')
        if arm in self.skipped: return about
        inner = score_all(self.dataset.task, self.dataset.y[:80], self.predictions(arm, seed, size)['valid'])
        return about | dict(inner=inner, seconds=2. if arm == 'fine_tuning' else 1., epochs=9, device='cpu', trainable_parameters=100)

    def arms(self, size=None):
        seeds = range(self.recipe.run.seed, self.recipe.run.seed + self.recipe.run.seeds)
        names = [k for k in [*self.truth, *self.skipped] if size is None or (k, size) in self.trained]
        return {k: [self._piece(k, s, size) for s in seeds] for k in names}

    def train(self, arms, sizes=(None,)):
        todo = [(k, n) for n in sizes for k in arms]
        self.trained += todo[:self.stop_after] if sizes != (None,) else []
