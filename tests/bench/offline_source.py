"""What our offline source `shapes` is worth: linear probes at few labels a class, against random features, raw pixels and training from scratch.

    python tests/bench/offline_source.py [--data ../shared/data] [--model tlnb/shipped/shapes] [--seeds 5] [--tasks digits parts photos] [--keep results.json]

Features are standardised as `tlnb.head.Head` does, C is cross-validated; pixels are 16 x 16 thumbnails (digits: their own 8 x 8). Random features are those of the same network,
untrained, another one for each seed. From scratch: the same network, 200 steps of 32 pictures. A seed draws the labelled pictures; the judged ones are always the same. Intervals: t over seeds, of paired differences."""
import argparse, json, os, sys, time
from pathlib import Path

for name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'): os.environ.setdefault(name, '1')   # before torch
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from PIL import Image

LABELS = 5, 10, 20, 50
ARMS = 'shapes', 'random', 'pixels', 'scratch'
NAMES = dict(shapes='shapes', random='random features', pixels='raw pixels', scratch='from scratch')
SIZE = 64


# Tasks: pictures uint8 [n, 3, 64, 64], classes, raw pixels [n, m] and the indices that are judged

def _big(img): return np.asarray(img.convert('RGB').resize((SIZE, SIZE), Image.BILINEAR)).transpose(2, 0, 1)

def _thumbs(x): return np.stack([np.asarray(Image.fromarray(o.transpose(1, 2, 0)).resize((16, 16), Image.BOX)).ravel() for o in x])/255

def digits(data=None):
    from sklearn.datasets import load_digits
    d = load_digits()
    x = np.stack([_big(Image.fromarray((o*255/16).astype(np.uint8))) for o in d.images])
    return x, d.target, d.data/16, np.random.default_rng(0).permutation(len(x))[:797]

def parts(data=None):
    from tlnb.vision.parts import make_parts
    x,frame = make_parts('B', n_train=600, n_judged=450)
    x,y = np.ascontiguousarray(x.transpose(0, 3, 1, 2)), np.unique(frame.label, return_inverse=True)[1]
    return x, y, _thumbs(x), np.flatnonzero(frame.split == 'test')

def photos(data):
    x,y,judged = [], [], []
    for part in ('train', 'valid'):
        for c,name in enumerate(('cats', 'dogs')):
            for f in sorted((Path(data)/'catsdogs'/part/name).iterdir()):
                with Image.open(f) as img:
                    w,h = img.size
                    s = min(w, h)
                    x.append(_big(img.crop(((w-s)//2, (h-s)//2, (w+s)//2, (h+s)//2))))
                y.append(c)
                judged.append(part == 'valid')
    x = np.stack(x)
    return x, np.array(y), _thumbs(x), np.flatnonzero(judged)


# Arms

def embed(net, x):
    "Features [n, F] of uint8 pictures"
    import torch
    from tlnb.vision.pretrain import normal
    net.eval()
    with torch.no_grad(): return np.concatenate([net.features(normal(torch.tensor(b))).numpy() for b in np.array_split(x, max(1, len(x)//256))])

def probe(f, y, rows, judged, standardise=True):
    "Right or wrong for each judged picture, of a logistic regression on the features of `rows`"
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.model_selection import StratifiedKFold
    a,b = f[rows], f[judged]
    if standardise:
        mean,std = a.mean(0), np.maximum(a.std(0), 1e-3*a.std() + 1e-8)
        a,b = (a - mean)/std, (b - mean)/std
    cv = StratifiedKFold(min(5, np.bincount(y[rows]).min()), shuffle=True, random_state=0)
    fit = LogisticRegressionCV(Cs=[1e-3, 1e-2, 1e-1, 1, 10], l1_ratios=(0,), use_legacy_attributes=False, scoring='neg_log_loss', cv=cv, tol=1e-3, max_iter=300).fit(a, y[rows])
    return fit.predict(b) == y[judged]

def scratch(x, y, rows, judged, seed, steps=200):
    "The same for a TinyNet trained on these rows alone, with small shifts, one cycle"
    import torch
    from torch.nn import functional as F
    from tlnb.vision.net import TinyNet
    from tlnb.vision.pretrain import normal
    torch.manual_seed(seed)
    net = TinyNet(int(y.max()) + 1).to(memory_format=torch.channels_last)
    a,t = normal(torch.tensor(x[rows])), torch.tensor(y[rows])
    opt = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=.05)
    plan = torch.optim.lr_scheduler.OneCycleLR(opt, 2e-3, steps)
    net.train()
    for _ in range(steps):
        pick = torch.randint(len(a), (min(32, len(a)),))
        dy,dx = torch.randint(-4, 5, (2,)).tolist()
        with torch.autocast('cpu', dtype=torch.bfloat16): out = net(torch.roll(a[pick], (dy, dx), (2, 3)))
        loss = F.cross_entropy(out.float(), t[pick])
        opt.zero_grad()
        loss.backward()
        opt.step()
        plan.step()
    net.eval()
    with torch.no_grad(): out = torch.cat([net(normal(torch.tensor(b))) for b in np.array_split(x[judged], max(1, len(judged)//256))])
    return out.argmax(1).numpy() == y[judged]

def draw_rows(y, free, k, seed):
    "`k` rows of each class"
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.permutation(free[y[free] == c])[:k] for c in range(y.max() + 1)])

def study(net, task, seeds=5, labels=LABELS, arms=ARMS, first=0):
    "Accuracy by arm, labels a class and seed"
    import torch
    from tlnb.vision.net import TinyNet
    x,y,raw,judged = task
    free = np.setdiff1d(np.arange(len(x)), judged)
    known,out = embed(net, x) if 'shapes' in arms else None, {a: {str(k): [] for k in labels} for a in arms}
    for seed in range(first, first + seeds):
        torch.manual_seed(seed)
        if 'random' in arms: chance = embed(TinyNet(2), x)
        for k in labels:
            rows = draw_rows(y, free, k, seed)
            for a in arms:
                right = probe(known, y, rows, judged) if a == 'shapes' else probe(chance, y, rows, judged) if a == 'random' else \
                    probe(raw, y, rows, judged, standardise=False) if a == 'pixels' else scratch(x, y, rows, judged, seed)
                out[a][str(k)].append(float(right.mean()))
    return out

def interval(d):
    "Mean of paired differences and its 95 % interval (t)"
    from scipy.stats import t
    d = np.asarray(d)
    h = t.ppf(.975, len(d) - 1)*d.std(ddof=1)/len(d)**.5
    return d.mean(), d.mean() - h, d.mean() + h

def table(found):
    "Markdown, one row for each task and number of labels"
    arms = [a for a in ARMS if all(a in o for o in found.values())]
    if 'shapes' not in arms: return ''
    head = ['task', 'labels a class', *(NAMES[a] for a in arms), *(f'shapes - {NAMES[a]}' for a in arms[1:])]
    rows = ['| ' + ' | '.join(head) + ' |', '|---'*len(head) + '|']
    for name,each in found.items():
        for k in each['shapes']:
            gain = ['{:+.3f} ({:+.3f} to {:+.3f})'.format(*interval(np.subtract(each['shapes'][k], each[a][k]))) for a in arms[1:]]
            rows.append(f'| {name} | {k} | ' + ' | '.join([f'{np.mean(each[a][k]):.3f}' for a in arms] + gain) + ' |')
    return '\n'.join(rows)


def main():
    p = argparse.ArgumentParser()
    root = Path(__file__).resolve().parents[2]
    p.add_argument('--data', default=os.environ.get('TLNB_TEST_DATA', str(root.parent/'shared'/'data')))
    p.add_argument('--model', default=str(root/'tlnb'/'shipped'/'shapes'))
    p.add_argument('--seeds', type=int, default=5)
    p.add_argument('--first', type=int, default=0, help='the first seed')
    p.add_argument('--tasks', nargs='*', default=['digits', 'parts', 'photos'])
    p.add_argument('--arms', nargs='*', default=list(ARMS))
    p.add_argument('--keep', help='results, arm by arm: those that are there are not computed again, but for those of shapes')
    a = p.parse_args()
    import torch
    torch.set_num_threads(1)
    if 'shapes' in a.arms:
        from tlnb.source import load_fitted
        net = load_fitted(a.model).model
    found = json.loads(Path(a.keep).read_text()) if a.keep and Path(a.keep).is_file() else {}
    for name in a.tasks:
        task = dict(digits=digits, parts=parts, photos=photos)[name](a.data)
        for arm in a.arms:
            if arm != 'shapes' and arm in found.get(name, {}): continue
            start = time.perf_counter()
            found.setdefault(name, {}).update(study(net if arm == 'shapes' else None, task, a.seeds, arms=[arm], first=a.first))
            print(f'{name}, {arm}: {time.perf_counter() - start:.0f} s', file=sys.stderr, flush=True)
            if a.keep: Path(a.keep).write_text(json.dumps(found))
    print(table(found))


if __name__ == '__main__': main()
