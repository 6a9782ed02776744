"""How long a package takes, beside the learner: cold start of a process until its first answer, and one item at a time.

python tests/bench/latency.py   (a minute or two; prints a table)"""
import json, subprocess, sys, tempfile, time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT/'tests')]

COLD = '''import time, sys
sys.path.insert(0, sys.argv[1])
import json
item = json.loads(sys.argv[3])
import importlib
importlib.import_module(sys.argv[2]).predict(item)
'''
OURS = '''import sys
sys.path.insert(0, sys.argv[1])
import json
item = json.loads(sys.argv[3])
from tlnb.source import load_fitted
import pandas as pd
load_fitted(sys.argv[2]).score(pd.DataFrame([item if isinstance(item, dict) else {'path': item}]))
'''


def seconds(code, *args):
    "Of a fresh process, the best of three"
    def once():
        t = time.perf_counter()
        subprocess.run([sys.executable, '-c', code, *map(str, args)], check=True, capture_output=True, cwd='/')
        return time.perf_counter() - t
    return min(once() for _ in range(3))


def each(f, n):
    "Median seconds of a call, after some to warm up"
    for _ in range(5): f()
    took = []
    for _ in range(n):
        t = time.perf_counter(); f(); took.append(time.perf_counter() - t)
    return float(np.median(took))


def fastai_predict(data, fitted, item, place):
    "`learn.predict` of fastai itself, with its own loaders around the same network (pictures) or its own network of the same widths (tables)"
    import warnings; warnings.filterwarnings('ignore')
    if data.modality == 'tabular':
        from fastai.tabular.all import Categorify, FillMissing, Normalize, TabularDataLoaders, tabular_learner
        frame = data.frame.iloc[data.train].assign(target=[data.classes[o] for o in data.y[data.train]])
        cats,conts = [c.name for c in fitted.prep.cats],[c.name for c in fitted.prep.conts if c.kind == 'continuous']
        dls = TabularDataLoaders.from_df(frame, procs=[Categorify, FillMissing, Normalize], cat_names=cats, cont_names=conts, y_names='target', bs=64)
        learn = tabular_learner(dls, layers=fitted.model.sizes)
        row = frame.iloc[0]
        def call():
            with learn.no_bar(), learn.no_logging(): return learn.predict(row)
        return call
    from fastai.vision.all import ImageDataLoaders, Learner, Resize, CrossEntropyLossFlat
    dls = ImageDataLoaders.from_folder(place, valid_pct=.3, item_tfms=Resize(fitted.prep.size), bs=16, num_workers=0)
    learn = Learner(dls, fitted.model, loss_func=CrossEntropyLossFlat())
    def call():
        with learn.no_bar(), learn.no_logging(): return learn.predict(item)
    return call


def row(what, data, fitted, item, folder, place):
    "One line of the table"
    from test_light import model_of
    from tlnb.source import save_fitted
    save_fitted(fitted, place/'fitted')
    model = model_of(folder)
    import pandas as pd
    frame = pd.DataFrame([item if isinstance(item, dict) else {'path': item}])
    told = dict(package=each(lambda: model.predict(item), 200), score=each(lambda: fitted.score(frame), 50), predict=each(fastai_predict(data, fitted, item, data.recipe.data.path), 20))
    cold = seconds(COLD, folder.parent, folder.name, json.dumps(item)), seconds(OURS, ROOT, place/'fitted', json.dumps(item))
    size = sum(f.stat().st_size for f in folder.iterdir() if f.is_file())/1e6
    print(f"{what:28} {size:6.2f} MB  cold {cold[0]:5.2f} s, ours {cold[1]:5.2f} s   one item: package {told['package']*1e3:7.3f} ms, Fitted.score {told['score']*1e3:7.2f} ms, "
        f"learn.predict {told['predict']*1e3:7.2f} ms = {told['predict']/told['package']:.0f} times as long", flush=True)


def main():
    import torch
    from dataclasses import replace
    from test_light import hostile, odd_picture, package, untrained
    from tlnb.dataset import load
    from tlnb.recipe import Recipe
    from tlnb.vision.net import build
    with tempfile.TemporaryDirectory() as at:
        place = Path(at)
        hostile(2000).to_csv(place/'rows.csv', index=False)
        data = load(Recipe.for_tabular(data=place/'rows.csv', target='income'))
        fitted = untrained(data)
        [item] = json.loads(data.frame.iloc[:1].to_json(orient='records'))
        row('table, 7 columns', data, fitted, item, package(fitted, data, place/'cells'), place)
        (place/'photos').mkdir()
        for i in range(40): odd_picture(20*i + i % 2, place/'photos'/('red' if i % 2 else 'blue'))
        data = load(Recipe.for_vision(data=place/'photos', run_cache_gb=0))
        for library,name,size in (('tlnb', 'tiny', 64), ('torchvision', 'squeezenet1_1', 224), ('torchvision', 'mobilenet_v3_small', 224), ('torchvision', 'resnet18', 224)):
            torch.manual_seed(0)
            fitted = untrained(data)
            fitted = replace(fitted, prep=replace(fitted.prep, size=size), model=build(dict(library=library, name=name, n_out=len(data.classes))).eval())
            row(f'pictures, {name} at {size}', data, fitted, data.frame['path'].iloc[0], package(fitted, data, place/name/'looks'), place/name)


if __name__ == '__main__': main()
