"""Are explanations true, the same as shap's own, fast, and bounded? Planted causes, reference explainers, shap as fastai's users call it; exit 1 where an aim is missed.

    python tests/bench/explain.py --out /tmp/explain.json [--only truth reference speed memory] [--items 100]
"""
import argparse, json, sys, tempfile, time, warnings
from pathlib import Path

warnings.filterwarnings('ignore')

import numpy as np
import pandas as pd

AIMS = dict(first=.95, twin=.05, falls=.10, tabular=.99, vision=.90, additivity=1e-5, speed_tabular=200, speed_vision=6)


# ---- models that depend on a plant, and their twins that never saw it

def loans_run(work, cause=True, n_train=6000, epochs=12):
    "A network on loans with or without the planted cause"
    from tlnb import Recipe, adapt, load
    from tlnb.tabular.loans import make_loans
    file = Path(work)/f'loans-{cause}.csv'
    make_loans('B', n_train=n_train, n_judged=1000, cause=cause).to_csv(file, index=False)
    return adapt(load(Recipe.for_tabular(data=str(file), target='defaulted', data_split='split', run_seeds=1, train_epochs=epochs, run_jobs=1)), folder=Path(work)/f'run-loans-{cause}')

def parts_run(work, shortcut=True, n_train=600, n_judged=300, epochs=20):
    "A network on parts whose defective ones are chalked in a corner, judged on parts that are chalked alike; or on the same parts without chalk"
    from tlnb import Recipe, adapt, load
    from tlnb.vision.parts import TARGET, make_parts, write_items
    pictures,frame = make_parts(n_train=n_train + n_judged, n_judged=0, shortcut=shortcut)
    frame['split'] = np.where(np.random.default_rng(0).permutation(len(frame)) < n_train, 'train', 'test')
    (folder := Path(work)/f'parts-{shortcut}').mkdir(exist_ok=True)
    write_items(folder, pictures, frame, TARGET)
    r = Recipe.for_vision(data=str(folder/'items.csv'), target=TARGET, data_split='split', run_seeds=1, train_epochs=epochs, run_jobs=1, vision_augment='none', run_cache=str(Path(work)/'cache'))
    return adapt(load(r), folder=Path(work)/f'run-parts-{shortcut}')

def accuracy(run, frame, y): return float((run.fitted().score(frame).argmax(1) == y).mean())

def truth_tabular(work, n):
    "The planted cause: first in items that have it; accuracy where the column is drawn from rows without it"
    from tlnb import explain
    out,runs = {},{k: loans_run(work, k) for k in (True, False)}
    ds = runs[True].dataset
    rows,y = ds.frame.iloc[ds.judged].reset_index(drop=True),ds.y[ds.judged]
    has = (rows.channel == 'broker').to_numpy()
    without = rows.assign(channel=np.where(has, 'branch', rows.channel))
    out['falls'] = accuracy(runs[True], rows[has], y[has]) - accuracy(runs[True], without[has], y[has])
    for k,run in runs.items():
        items = [int(i) for i in run.dataset.judged[has]][:n]
        d = explain(run, items=items).to_dict()
        out['first' if k else 'twin'] = float(np.mean([i['top'][0]['feature'] == 'channel' for i in d['items']]))
        if k: out.update(items=len(items), additivity=d['residual_max'], agreement=d['agreement'], agreement_min=d['agreement_min'], stability=d['stability'])
    return out

def in_corner(item):
    "Whether the area that counts most lies in the corner of the chalk"
    from tlnb.places import _areas
    from tlnb.vision.parts import CORNER, SIDE
    labels = _areas(item['look'])
    first = labels == item['features'].index(item['top'][0]['feature'])
    scale = labels.shape[0]/SIDE
    box = np.zeros(labels.shape, bool)
    box[tuple(slice(int(np.floor(o.start*scale)) if o.start else 0, int(np.ceil(o.stop*scale)) if o.stop else None) for o in CORNER)] = True
    return bool(first[box].sum() > .5*first.sum())

def truth_vision(work, n, **how):
    "The same of chalk in the corner"
    from tlnb import explain
    runs = {k: parts_run(work, k) for k in (True, False)}
    on,off = (r.dataset for r in runs.values())
    at = on.judged
    decoded = [[np.asarray(runs[True].fitted().prep.pixels(o), int) for o in ds.frame.path.iloc[at]] for ds in (on, off)]
    has = np.array([(a != b).any() for a,b in zip(*decoded)])
    out = dict(falls=accuracy(runs[True], on.frame.iloc[at[has]], on.y[at[has]]) - accuracy(runs[True], off.frame.iloc[at[has]], on.y[at[has]]))
    for k,run in runs.items():
        items = [int(i) for i in at[has]][:n]
        d = explain(run, items=items, **how).to_dict()
        out['first' if k else 'twin'] = float(np.mean([in_corner(i) for i in d['items']]))
        if k: out.update(items=len(items), additivity=d['residual_max'], stability=d['stability'])
    return out
