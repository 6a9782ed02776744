"""Does the bias check say what is true? Simulated predictions with known gaps; a planted disparity in `loans`; time and memory beside fairlearn's own bootstrap.

    python tests/bench/bias.py [--sets 2000] [--seeds 20] [--rows 1000000] [--only simulate,loans,speed]
"""
import argparse, json, os, resource, subprocess, sys, time, warnings

warnings.filterwarnings('ignore')

import numpy as np
import pandas as pd

BASE = 0.4 # share of true labels in every group
EVEN, MORE = (0.7, 0.2), (0.9, 0.45) # P(said | true), P(said | not true): of most groups, and of the one that is favoured
JUDGED = 'demographic_parity_difference', 'equalized_odds_difference', 'equal_opportunity_difference' # gaps of `MORE` well over the limit of 0.1


def truth(said):
    "Rates of a group, as they are in the long run"
    tpr, fpr = said
    rate = BASE*tpr + (1 - BASE)*fpr
    return dict(selection_rate=rate, true_positive_rate=tpr, false_positive_rate=fpr, false_negative_rate=1 - tpr, precision=BASE*tpr/rate,
        accuracy=BASE*tpr + (1 - BASE)*(1 - fpr), calibration=0.25 + rate/2 - BASE)

def predictions(rng, k, gap, n=5000, rare=False):
    "Labels, probabilities and groups of one simulated set"
    g = rng.choice(k, n, p=np.r_[0.3, np.full(k - 1, 0.7/(k - 1))])
    y = rng.random(n) < BASE
    tpr, fpr = np.array([MORE if gap and i == 0 else EVEN for i in range(k)])[g].T
    p = 0.5*(rng.random(n) < np.where(y, tpr, fpr)) + 0.5*rng.random(n)
    names = np.array(list('abcdefgh'))[g]
    return (np.r_[y, [True]*3], np.r_[p, [0.01]*3], np.r_[names, ['rare']*3]) if rare else (y, p, names)

def one(seed, kind, k):
    "What a check of one set says, and whether its intervals hold what is true"
    from tlnb.bias import GAPS, check_bias
    y, p, g = predictions(np.random.default_rng(seed), k, kind == 'gap', rare=kind == 'rare')
    d = check_bias(y_true=y, y_pred=p, groups=g).to_dict()
    true = {name: truth(MORE if kind == 'gap' and name == 'a' else EVEN) for name in 'abcdefgh'[:k]}
    held = [o['interval'][0] <= true[o['group']][o['metric']] <= o['interval'][1] for o in d['groups'] if o['group'] in true]
    gaps = {}
    for o in d['gaps']:
        at = {m: [t[m] for t in true.values()] for m in GAPS[o['metric']]}
        gap, ratio = max(np.ptp(v) for v in at.values()), min(min(v)/max(v) for v in at.values())
        gaps[o['metric']] = dict(verdict=o['verdict'], held=o['interval'][0] - 1e-9 <= gap <= o['interval'][1], rare='rare' in (o['lowest'], o['highest']),
            ratio_held=None if 'calibration' in o['metric'] else o['ratio_interval'][0] <= ratio <= o['ratio_interval'][1] + 1e-9)
    return dict(kind=kind, k=k, verdict=d['verdict'], held=held, gaps=gaps)

def simulate(sets, jobs=1):
    "A summary of `sets` sets: half without a gap, half with one; groups of three rows in a fifth of those without"
    from joblib import Parallel, delayed
    kinds = [('none', 'gap', 'none', 'gap', 'none', 'gap', 'none', 'gap', 'rare', 'gap')[i % 10] for i in range(sets)]
    found = Parallel(jobs)(delayed(one)(i, kind, 2 + (i//10) % 2) for i, kind in enumerate(kinds))
    out = {}
    for kind in ('none', 'gap', 'rare'):
        part = [o for o in found if o['kind'] == kind]
        names = [m for m in part[0]['gaps'] if kind != 'gap' or m in JUDGED]
        said = [[o['gaps'][m]['verdict'] for m in names] for o in part]
        out[kind] = dict(sets=len(part), any_fail=np.mean(['fail' in s for s in said]), undecided=np.mean([s == 'undecided' for row in said for s in row]),
            any_undecided=np.mean(['undecided' in s and 'fail' not in s for s in said]), found=np.mean([s == 'fail' for row in said for s in row]),
            rare_named=sum(v['rare'] for o in part for v in o['gaps'].values()), groups_held=np.mean([h for o in part for h in o['held']]),
            gaps_held={k: np.mean([v['held'] for o in part if o['k'] == k for v in o['gaps'].values()]) for k in (2, 3)},
            ratios_held={k: np.mean([v['ratio_held'] for o in part if o['k'] == k for v in o['gaps'].values() if v['ratio_held'] is not None]) for k in (2, 3)})
    return out

def told(s):
    "The summary in lines, and whether the aims are met"
    for kind, o in s.items():
        print(f"{kind:5s} {o['sets']} sets of 5,000 rows: any gap fails {o['any_fail']:.3f}; gaps found {o['found']:.3f}, undecided {o['undecided']:.3f}; "
            f"intervals that hold what is true: of groups {o['groups_held']:.3f}, of gaps {({k: round(float(v), 3) for k, v in o['gaps_held'].items()})}, "
            f"of ratios {({k: round(float(v), 3) for k, v in o['ratios_held'].items()})} by number of groups; three rows named in a gap: {o['rare_named']}")
    none, gap, rare = s['none'], s['gap'], s['rare']
    return dict(coverage=all(0.93 <= o['groups_held'] <= 0.97 for o in (none, gap)) and all(0.93 <= v['gaps_held'][2] <= 0.97 for v in (none, gap)),
        found=gap['found'] >= 0.95, false_alarm=none['any_fail'] <= 0.05, undecided=max(none['undecided'], gap['undecided']) <= 0.10,
        rare=rare['rare_named'] == 0 and rare['any_fail'] <= 0.05)


def loans(seeds):
    "A disparity planted by district and none by sex, from the generator through training to the verdict"
    import tempfile
    from pathlib import Path
    from tlnb import Recipe, load
    from tlnb.bias import check_bias
    from tlnb.tabular.loans import make_loans
    said = dict(district=[], sex=[])
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as place:
            make_loans('B', n_train=6000, n_judged=20000, seed=seed).to_csv(Path(place)/'loans.csv', index=False)
            ds = load(Recipe.for_tabular(data=f'{place}/loans.csv', target='defaulted', data_split='split'))
        model = ds.kind.simple(ds.task, seed)['gradient_boosting'].fit(ds.frame.iloc[ds.train], ds.y[ds.train])
        rows = ds.frame.iloc[ds.judged]
        for c in said:
            d = check_bias(y_true=ds.y[ds.judged], y_pred=model.score(rows)[:, 1], groups=rows[c]).to_dict()
            o = next(o for o in d['gaps'] if o['metric'] == 'demographic_parity_difference')
            said[c].append(o['verdict'] if c == 'sex' or o['highest'] == 'harbour' else f"{o['verdict']} of {o['highest']}")
    for c, v in said.items(): print(f'loans, {seeds} seeds, by {c}: ' + ', '.join(f'{k} {v.count(k)}' for k in dict.fromkeys(v)))
    return dict(planted=said['district'].count('fail') >= 0.95*seeds, silent=said['sex'].count('fail') <= 0.05*seeds)


def table(n):
    rng = np.random.default_rng(0)
    y = rng.random(n) < BASE
    return y.astype(int), (rng.random(n) < np.where(y, *EVEN)).astype(int), pd.DataFrame({c: rng.choice(list('abc'), n) for c in ('sex', 'origin', 'age')})

def ours(n, samples):
    "Seconds of a check and peak memory of its process, GB (printed as JSON)"
    from tlnb.bias import check_bias
    from tlnb.recipe import Recipe
    import fairlearn.metrics, sklearn.metrics # what both need is loaded before the clock starts
    y, p, groups = table(n)
    start = time.time()
    check_bias(y_true=y, y_pred=p, groups=groups, recipe=Recipe.for_tabular(bias_bootstrap=samples))
    print(json.dumps(dict(seconds=time.time() - start, gb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/2**20)))

def theirs(n, samples):
    "Seconds of fairlearn's MetricFrame with its bootstrap, over the same seven groupings"
    from itertools import combinations
    from fairlearn import metrics as fm
    from sklearn.metrics import accuracy_score, precision_score
    y, p, groups = table(n)
    rates = dict(selection_rate=fm.selection_rate, tpr=fm.true_positive_rate, fpr=fm.false_positive_rate, fnr=fm.false_negative_rate, accuracy=accuracy_score, precision=precision_score)
    start = time.time()
    for size in (1, 2, 3):
        for some in combinations(groups, size):
            fm.MetricFrame(metrics=rates, y_true=y, y_pred=p, sensitive_features=groups[list(some)], n_boot=samples, ci_quantiles=[.025, .975], random_state=0).by_group_ci
    return time.time() - start

def speed(rows, samples=1, fewer=20):
    "Both on all rows (fairlearn with so few samples, scaled to 1,000), and both with as many samples on fewer rows"
    def child(*of): return json.loads(subprocess.run([sys.executable, '-W', 'ignore', __file__, '--ours', *map(str, of)], capture_output=True, text=True, check=True).stdout)
    big, small, few, all_ = child(rows, 1000), child(rows//50, fewer), theirs(rows, samples), theirs(rows//50, fewer)
    print(f"{rows:,} rows, 3 attributes in 7 groupings, 1,000 samples: {big['seconds']:.1f} s, {big['gb']:.2f} GB; "
        f"fairlearn with {samples} sample(s) {few:.1f} s, so 1,000 would take {few/samples*1000/60:.0f} min: {few/samples*1000/big['seconds']:.0f} times as long (extrapolated)")
    print(f"{rows//50:,} rows, {fewer} samples, both measured: {small['seconds']:.2f} s and {all_:.1f} s: {all_/small['seconds']:.0f} times as long")
    return dict(memory=big['gb'] < 4, faster=few/samples*1000/big['seconds'] >= 10 and all_/small['seconds'] >= 10)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (('sets', 2000), ('seeds', 20), ('rows', 1_000_000), ('jobs', os.cpu_count())): p.add_argument(f'--{name}', type=int, default=default)
    p.add_argument('--ours', type=int, nargs=2, help=argparse.SUPPRESS)
    p.add_argument('--only', default='simulate,loans,speed')
    a = p.parse_args()
    if a.ours: return ours(*a.ours)
    parts = dict(simulate=lambda: told(simulate(a.sets, a.jobs)), loans=lambda: loans(a.seeds), speed=lambda: speed(a.rows))
    met = {k: v for name in a.only.split(',') for k, v in parts[name]().items()}
    print('every aim is met' if all(met.values()) else 'missed: ' + ', '.join(k for k, v in met.items() if not v))
    sys.exit(not all(met.values()))


if __name__ == '__main__': main()
