"""What the verdict is worth: 200 pairs of regions in which transfer is planted to help, to be useless or to conflict.

    python tests/bench/generator.py [--seeds 200] [--jobs 2] [--keep results.jsonl] [--labels 40]

Each seed draws its own region A (from which a source is trained), its own 240 labelled and 1,500 judged loans of region B, and compares all arms
with three seeds. Results are kept line by line, so that a bench that was interrupted goes on."""
import argparse, json, os, sys, tempfile
from pathlib import Path

for name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'): os.environ.setdefault(name, '1')   # before torch: one thread a study
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

SCENARIOS = 'strong', 'none', 'conflict'
SIZE = dict(n_source=4000, n_train=240, n_judged=1500)
WEAK = dict(n_source=120, n_train=240, n_judged=1500)   # a source that leaves something to learn: its curve rises
LABELS = dict(transfer_labels_needed=True, metric='roc_auc', transfer_target_value=0.68, strategy='fine_tuning')
PAIRS = ('fine_tuning', 'simple'), ('fine_tuning', 'from_scratch'), ('from_scratch', 'simple')   # fixed beforehand: their mean gain is known


def study(scenario, seed, size=SIZE, source=None, **options):
    """One pair of regions, judged as a user would: verdict, gain, interval, what was compared, labels needed. `source`: the seed of a source
    that all studies share; None: each has its own"""
    from tlnb.adapt import adapt
    from tlnb.dataset import load
    from tlnb.evaluate import measure, compare, evaluate
    from tlnb.recipe import Recipe
    from tlnb.tabular.loans import make_loans
    with tempfile.TemporaryDirectory() as folder:
        a, b = Path(folder)/'a.csv', Path(folder)/'b.csv'
        make_loans('A', seed=seed if source is None else source, transfer=scenario, n_source=size['n_source']).to_csv(a, index=False)
        make_loans('B', seed=seed, transfer=scenario, n_train=size['n_train'], n_judged=size['n_judged']).to_csv(b, index=False)
        if source is None: origin = dict(source_data=str(a))
        else:
            recipe = Recipe.for_tabular(data=str(a), target='defaulted', seed=source, run_seeds=1, run_jobs=1, train_epochs=15)
            origin = dict(source=str(adapt(load(recipe), folder=Path(folder)/'source').folder.path))
        recipe = Recipe.for_tabular(**{**dict(data=str(b), target='defaulted', data_split='split', seed=seed, run_jobs=1,
            train_epochs=15, transfer_labels_needed=False), **origin, **options})
        run = adapt(load(recipe), folder=Path(folder)/'run')
        j = evaluate(run)
        arms, draws, _ = measure(run, j.metric, 1000)
    t, arms = j.transfer, {a.name: a for a in arms}
    pairs = {f'{a} - {b}': compare(arms[a], arms[b], draws, j.metric, t['min_gain']) for a, b in PAIRS if {a, b} <= arms.keys()}
    told = {k: dict(inner=o['inner'], by_seed=list(o['by_seed'].values())) for k, o in j.arms.items() if 'skipped' not in o}
    return dict(scenario=scenario, seed=seed, arms=told, pairs={k: [o['gain'], *o['interval']] for k, o in pairs.items()},
        **{k: t[k] for k in ('verdict', 'best', 'versus', 'gain', 'interval', 'labels_needed')})


def labels_study(scenario, seed):
    "A labels-needed curve for a stated score; the source is the same in all studies, so that there is one truth to be held against"
    return study('strong', seed, WEAK, source=1, **LABELS) | dict(scenario=scenario)


def run_all(tasks, jobs, keep):
    "Results of (function, scenario, seed) tasks, in their order; those that the file `keep` holds are read from it"
    from joblib import Parallel, delayed
    keep = Path(keep)
    done = {(o['scenario'], o['seed']): o for o in map(json.loads, keep.read_text().splitlines())} if keep.exists() else {}
    todo = [delayed(f)(*key) for f, *key in tasks if tuple(key) not in done]
    with keep.open('a') as file:
        for o in Parallel(n_jobs=jobs, return_as='generator_unordered')(todo):
            file.write(json.dumps(o) + '\n')
            file.flush()
            done[o['scenario'], o['seed']] = o
    return [done[tuple(key)] for _, *key in tasks]


def bounds(k, n, level=0.95):
    "Exact bounds of a share (Clopper & Pearson 1934)"
    from scipy.stats import beta
    a = (1 - level)/2
    return (round(float(beta.ppf(a, k, n - k + 1)), 4) if k else 0., round(float(beta.ppf(1 - a, k + 1, n - k)), 4) if k < n else 1.)


def shares(results):
    "Scenario -> verdict -> (share, lower bound, upper bound)"
    out = {}
    for s in SCENARIOS:
        found = [o['verdict'] for o in results if o['scenario'] == s]
        if found: out[s] = {v: (found.count(v)/len(found), *bounds(found.count(v), len(found))) for v in ('helped', 'no_difference', 'hurt')}
    return out


def coverage(results):
    "Scenario -> pair -> mean gain over all studies, and the share of intervals that hold it"
    import numpy as np
    out = {}
    for s in SCENARIOS:
        for pair in (' - '.join(o) for o in PAIRS):
            found = np.array([o['pairs'][pair] for o in results if o['scenario'] == s and pair in o['pairs']])
            if not len(found): continue
            truth = found[:, 0].mean()
            hits = int(((found[:, 1] <= truth) & (truth <= found[:, 2])).sum())
            out.setdefault(s, {})[pair] = dict(gain=round(float(truth), 4), scatter=round(float(found[:, 0].std(ddof=1)), 4),
                width=round(float((found[:, 2] - found[:, 1]).mean()), 4), share=hits/len(found), bounds=bounds(hits, len(found)))
    return out


def planted_labels(results):
    "Labels that each side needs by the mean curve of all studies: the truth that single studies are held against"
    import numpy as np
    from tlnb.labels import needed, rising
    sizes = results[0]['labels_needed']['sizes']
    truth = {}
    for side in ('transfer', 'from_scratch'):
        curve = np.mean([[p['value'] for p in o['labels_needed']['curve'] if p['side'] == side] for o in results], axis=0)
        truth[side] = dict(curve=[round(float(v), 4) for v in curve], labels=float(needed(sizes, rising(curve[None]), LABELS['transfer_target_value'])[0]))
    return sizes, truth


def covered(results):
    "Share of studies whose interval holds the planted truth, by side"
    sizes, truth = planted_labels(results)
    out = {}
    for side, o in truth.items():
        spans = [r['labels_needed'][f'{side}_interval'] for r in results]
        hits = sum(s is not None and s[0] <= o['labels'] + 1 and (s[1] is None or o['labels'] - 1 <= s[1]) for s in spans)
        out[side] = dict(planted=round(o['labels'], 1), curve=o['curve'], share=hits/len(spans), bounds=bounds(hits, len(spans)))
    return sizes, out


def missed(results, labels):
    "Aims that were missed, a line each"
    found = shares(results)
    share = lambda scenario, verdict: found[scenario][verdict]
    aims = {'helped where transfer is strong: less than 95 %': share('strong', 'helped')[0] < .95,
        'helped where the source is unrelated: upper bound above 5 %': share('none', 'helped')[2] > .05,
        'hurt where the source conflicts: not the commonest verdict': share('conflict', 'hurt')[0] <= .5}
    aims |= {f'labels needed, {side}: fewer than 95 % of the intervals hold the truth': o['bounds'][1] < .95 for side, o in labels.items()}
    return [aim for aim, holds in aims.items() if holds]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--seeds', type=int, default=200)
    p.add_argument('--labels', type=int, default=40, help='studies with a labels-needed curve')
    p.add_argument('--jobs', type=int, default=os.cpu_count())
    p.add_argument('--keep', default='generator.jsonl')
    a = p.parse_args()
    results = run_all([(study, s, i) for i in range(a.seeds) for s in SCENARIOS], a.jobs, a.keep)
    for s, found in shares(results).items():
        n = sum(o['scenario'] == s for o in results)
        print(f'{s:<9} n={n:<4}' + '  '.join(f'{v} {share:.3f} ({lo:.3f} to {hi:.3f})' for v, (share, lo, hi) in found.items()))
    for s, pairs in coverage(results).items():
        for pair, o in pairs.items(): print(f'{s:<9} {pair:<28}', o)
    labels = {}
    if a.labels:
        studies = run_all([(labels_study, 'labels', i) for i in range(a.labels)], a.jobs, a.keep)
        sizes, labels = covered(studies)
        print(f'labels needed, {len(studies)} studies at {sizes}: {LABELS}')
        for side, o in labels.items(): print(f'{side:<13}', o)
    aims = missed(results, labels)
    print(*(f'missed: {aim}' for aim in aims) if aims else ['every aim is met'], sep='\n')
    sys.exit(bool(aims))


if __name__ == '__main__': main()
