"""Is a source that will hurt warned of before anything is trained? Source-target pairs of pictures and tables, truth from the arms' intervals.

    python tests/bench/negative.py --data ../shared/data --out /tmp/negative.json
"""
import argparse, json, tempfile, warnings
from pathlib import Path

warnings.filterwarnings('ignore')

HOSPITALS = 'cleveland', 'hungarian', 'switzerland', 'va'
NETS = {'squeezenet1_0': 'squeezenet1_0_deepcompression.pth', 'mobilenet_v2': 'mobilenet_v2_coral_dequant.pth'}

def small_set(folder, items, label, per_class, judged, seed=0):
    "A CSV of some of `items` (path, label): so many a class to train on, so many judged"
    import numpy as np, pandas as pd
    rng, rows = np.random.default_rng(seed), []
    for _,part in items.groupby(label):
        part = part.iloc[rng.permutation(len(part))]
        rows += [part.iloc[:per_class].assign(split='train'), part.iloc[per_class:per_class + judged].assign(split='test')]
    file = Path(folder)/'items.csv'
    pd.concat(rows).to_csv(file, index=False)
    return str(file)

def pictures(data, work):
    "Target name -> options of its recipe"
    import pandas as pd
    from tlnb.vision.digits import write_digits
    (work/'digits').mkdir(); (work/'catsdogs').mkdir()
    write_digits(work/'digits')
    digits = pd.read_csv(work/'digits'/'items.csv')
    digits['path'] = [str(work/'digits'/o) for o in digits.path]
    photos = pd.DataFrame([(str(f), f.parent.name) for f in sorted((data/'catsdogs').glob('*/*/*.jpg'))], columns=['path', 'label'])
    return {'digits': dict(data=small_set(work/'digits', digits[['path', 'digit']], 'digit', 5, 40), target='digit', data_split='split'),
        'parts': dict(data='parts'), 'catsdogs': dict(data=small_set(work/'catsdogs', photos, 'label', 20, 100), target='label', data_split='split')}

def random_source(work):
    "A network that has learned nothing, as a source"
    import torch
    from tlnb.source import Fitted
    from tlnb.vision.net import TinyNet
    from tlnb.vision.prep import IMAGENET, PicturePrep
    torch.manual_seed(0)
    prep = PicturePrep(64, 'crop', *map(list, IMAGENET))
    return str(Fitted('vision', 'classification', [f'{i}' for i in range(10)], prep, TinyNet(10), dict(name='random')).save(work/'random'))

def pairs(data, work):
    "(kind, source, target, recipe)"
    from tlnb import Recipe, adapt, load
    common = dict(transfer_labels_needed=False, run_cache=str(work/'cache'))
    for target,o in pictures(data, work).items():
        for name in ('parts', 'shapes', random_source(work)):
            yield 'pictures', Path(name).name, target, Recipe.for_vision(**o, **common, source=name)
        for arch,file in NETS.items():
            yield 'pictures', arch, target, Recipe.for_vision(**o, **common, source=str(data/'weights'/file), arch=arch, vision_size=128, strategy='feature_extraction')
    heart = dict(target='X14', data_missing=['-9'], data_positive='X14 > 0', metric='balanced_accuracy')
    files = {h: next((data/'tabular'/'heart').glob(f'processed.{h}.data')) for h in HOSPITALS}
    for h,f in files.items(): adapt(load(Recipe.for_tabular(data=str(f), **heart, **common)), folder=work/f'source-{h}')
    for a in HOSPITALS:
        for b in HOSPITALS:
            if a != b: yield 'tables', a, b, Recipe.for_tabular(data=str(files[b]), source=str(work/f'source-{a}'), **heart, **common)

def judge(recipe, folder, seeds):
    "What was warned of, and what came of it"
    from tlnb import adapt, evaluate, load, rank
    dataset = load(recipe.with_({'run.seeds': seeds}))
    r = rank(dataset, sources=[recipe.source.name], verify=0)
    t = evaluate(adapt(dataset, folder=folder), baselines=('simple', 'from_scratch')).transfer
    return dict(probe=r.rows[0]['score'], raw=r.raw['score'], gap=r.rows[0]['gap'], metric=r.metric, verdict=t['verdict'], gain=t['gain'], interval=t['interval'], best=t['best'], versus=t['versus'])

def rates(rows, margin):
    "Hits among pairs that hurt, false alarms among the others: (k, n) each"
    warned = [o['raw'] - o['probe'] > margin for o in rows]
    return tuple((sum(w for w,o in zip(warned, rows) if (o['verdict'] == 'hurt') == hurt), sum((o['verdict'] == 'hurt') == hurt for o in rows)) for hurt in (True, False))

def fitted_margin(rows, margins):
    "The margin with the best mean of hit rate and silence"
    def value(m):
        (h, nh), (f, nf) = rates(rows, m)
        return (h/nh if nh else .5) + 1 - (f/nf if nf else .5), -abs(m)
    return max(margins, key=value)

def told(k, n):
    "A rate with its exact 95 % bounds"
    from scipy.stats import binomtest
    if not n: return '0 of 0'
    lo,hi = binomtest(k, n).proportion_ci()
    return f'{k} of {n} ({lo:.2f} to {hi:.2f})'

def main():
    p = argparse.ArgumentParser(); p.add_argument('--data', default='../shared/data'); p.add_argument('--seeds', type=int, default=5); p.add_argument('--out')
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as d:
        work, rows = Path(d), []
        for kind,source,target,recipe in pairs(Path(o.data).resolve(), work):
            rows.append(dict(kind=kind, source=source, target=target, **judge(recipe, work/f'run-{len(rows)}', o.seeds)))
            print('{kind:9} {source:14} -> {target:12} probe {probe:.3f} raw {raw:.3f} | {verdict}'.format(**rows[-1]), rows[-1]['gain'], flush=True)
            if o.out: Path(o.out).write_text(json.dumps(rows, indent=1))
    margins = [i/100 for i in range(-10, 21)]
    left = [(t, fitted_margin([r for r in rows if r['target'] != t], margins), [r for r in rows if r['target'] == t]) for t in dict.fromkeys(r['target'] for r in rows)]
    totals = [[sum(x) for x in zip(*(rates(part, m)[k] for _,m,part in left))] for k in (0, 1)]
    for name,((h, nh), (f, nf)) in (('margin 0', rates(rows, 0.)), ('margin chosen on the other targets', totals)): print(f'{name}: hits {told(h, nh)}, false alarms {told(f, nf)}')
    print('margins:', {t: m for t,m,_ in left})

if __name__ == '__main__': main()
