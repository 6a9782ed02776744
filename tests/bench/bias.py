"""Does the bias check say what is true? Simulated predictions with known gaps; planted disparities in `loans` and `tickets`; Adult with each mitigation; time and memory beside fairlearn's own bootstrap.

    python tests/bench/bias.py [--sets 2000] [--seeds 20] [--drawn 10] [--twins 10] [--mended 3] [--rows 1000000] [--data ../shared/data] [--keep bias.jsonl] [--only simulate,loans,terms,adult,speed]

What was measured is kept line by line in `--keep` and read again.
"""
import argparse, json, os, resource, subprocess, sys, time, warnings
from pathlib import Path

warnings.filterwarnings('ignore')

import numpy as np
import pandas as pd

BASE = 0.4 # share of true labels in every group
EVEN, MORE = (0.7, 0.2), (0.9, 0.45) # P(said | true), P(said | not true): of most groups, and of the one that is favoured
JUDGED = 'demographic_parity_difference', 'equalized_odds_difference', 'equal_opportunity_difference' # gaps of `MORE` well over the limit of 0.1


class Kept:
    "Results in a file of lines: what is there already is not measured again"
    def __init__(self, path): self.path = path and Path(path)
    def __call__(self, make, **what):
        found = [json.loads(o) for o in self.path.read_text().splitlines()] if self.path and self.path.exists() else []
        for o in found:
            if o['of'] == what: return o['found']
        out = make(**what)
        if self.path:
            with open(self.path, 'a') as f: f.write(json.dumps(dict(of=what, found=out), default=lambda o: o.item()) + '\n')
        return out

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

def simulate(sets, jobs=1, kept=None):
    "A summary of `sets` sets: half without a gap, half with one; groups of three rows in a fifth of those without"
    from joblib import Parallel, delayed
    kinds = [('none', 'gap', 'none', 'gap', 'none', 'gap', 'none', 'gap', 'rare', 'gap')[i % 10] for i in range(sets)]
    parts = [range(i, min(i + 100, sets)) for i in range(0, sets, 100)]
    def some(first, last): return Parallel(jobs)(delayed(one)(i, kinds[i], 2 + (i//10) % 2) for i in range(first, last))
    found = [o for part in parts for o in (kept(some, first=part[0], last=part[-1] + 1) if kept else some(part[0], part[-1] + 1))]
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


def loan(draw):
    "What is said of demographic parity by district and by sex, from the generator through training to the verdict"
    import tempfile
    from tlnb import Recipe, load
    from tlnb.bias import check_bias
    from tlnb.tabular.loans import make_loans
    with tempfile.TemporaryDirectory() as place:
        make_loans('B', n_train=6000, n_judged=20000, seed=draw).to_csv(Path(place)/'loans.csv', index=False)
        ds = load(Recipe.for_tabular(data=f'{place}/loans.csv', target='defaulted', data_split='split'))
    model = ds.kind.simple(ds.task, draw)['gradient_boosting'].fit(ds.frame.iloc[ds.train], ds.y[ds.train])
    rows, said = ds.frame.iloc[ds.judged], {}
    for c in ('district', 'sex'):
        d = check_bias(y_true=ds.y[ds.judged], y_pred=model.score(rows)[:, 1], groups=rows[c]).to_dict()
        o = next(o for o in d['gaps'] if o['metric'] == 'demographic_parity_difference')
        said[c] = o['verdict'] if c == 'sex' or o['highest'] == 'harbour' else f"{o['verdict']} of {o['highest']}"
    return said

def loans(seeds, kept):
    "A disparity planted by district and none by sex"
    found = [kept(loan, draw=seed) for seed in range(seeds)]
    said = {c: [o[c] for o in found] for c in ('district', 'sex')}
    for c, v in said.items(): print(f'loans, {seeds} seeds, by {c}: ' + ', '.join(f'{k} {v.count(k)}' for k in dict.fromkeys(v)))
    return dict(planted=said['district'].count('fail') >= 0.95*seeds, silent=said['sex'].count('fail') <= 0.05*seeds)


def tickets(seed, bias, method):
    "Terms beyond the limit, gap, accuracy of a network from scratch on 480 tickets; with a mitigation the same without it"
    import tempfile
    from tlnb import Recipe, adapt, load
    from tlnb.bias import check_bias
    from tlnb.text.tickets import make_tickets
    with tempfile.TemporaryDirectory() as place:
        make_tickets('B', n_train=480, n_judged=600, bias=bias, seed=seed).to_csv(f'{place}/tickets.csv', index=False)
        recipe = Recipe.for_text(data=f'{place}/tickets.csv', target='queue', text='text', data_split='split', run_seeds=1, seed=seed, run_jobs=1, bias_mitigation=method)
        run = adapt(load(recipe), folder=f'{place}/run')
        d = check_bias(run).to_dict()
        y, p, arm = run.dataset.y[run.dataset.judged], run.predictions(*run.best)['judged'].argmax(1), run.best[0]
    items, m = d['terms']['items'], d['mitigation']
    worst = max((o for o in items if o['set'] == 'person' and o['metric'] == 'term_shift'), key=lambda o: abs(o['value']))
    brief = lambda part: {**{k: m[part][k] for k in ('accuracy', 'verdict')}, 'gaps': {o['metric']: [o['value'], o['verdict']] for o in m[part]['gaps'] if o['attribute'] == 'terms (person)'}}
    return dict(arm=arm, accuracy=float((y == p).mean()), verdict=d['verdict'], failing=sorted({o['term'] for o in items if o['verdict'] == 'fail'}), worst=[worst['term'], worst['value'], worst['interval'], worst['n']],
        turkish=[o['value'] for o in items if o['term'] == 'Turkish'], **(dict(before=brief('before'), after=brief('after'), cost=m['cost']) if m else {}))

def terms(drawn, twins, mended, kept):
    "A term planted in `tickets`, the twins without it, and what training texts with other terms do about it"
    seeds = dict(planted=range(drawn), twin=[*range(10)][::-1][:twins])
    found = {kind: [kept(tickets, seed=seed, bias=kind == 'planted', method='none') for seed in some] for kind, some in seeds.items()}
    for kind, part in found.items():
        print(f"tickets, {kind}, {len(part)} draws: Turkish is beyond the limit in {sum('Turkish' in o['failing'] for o in part)}, another term in {sum(bool(set(o['failing']) - {'Turkish'}) for o in part)}; "
            f"shift of Turkish {', '.join(format(o['turkish'][0], '+.2f') if o['turkish'] else '–' for o in part)}; accuracy {np.mean([o['accuracy'] for o in part]):.3f} on average")
    done = [kept(tickets, seed=seed, bias=True, method='counterfactual') for seed in range(mended)]
    for seed, o in enumerate(done):
        gap = lambda part, k: f"{o[part]['gaps'][k][0]:.3f} ({o[part]['gaps'][k][1]})"
        print(f"tickets, planted, seed {seed}, training texts with other terms: worst shift {gap('before', 'term_shift_difference')} to {gap('after', 'term_shift_difference')}, "
            f"worst gap of false positives {gap('before', 'term_false_positive_rate_difference')} to {gap('after', 'term_false_positive_rate_difference')}; accuracy {o['before']['accuracy']:.3f} to {o['after']['accuracy']:.3f}, "
            f"cost {o['cost']['value']:+.3f} ({o['cost']['interval'][0]:+.3f} to {o['cost']['interval'][1]:+.3f}); verdict {o['before']['verdict']} to {o['after']['verdict']}")
    lower = [o['after']['gaps']['term_shift_difference'][0] < o['before']['gaps']['term_shift_difference'][0] for o in done]
    return dict(term_found=all(o['failing'] == ['Turkish'] for o in found['planted']), twin_silent=not any(o['failing'] for o in found['twin']), term_mended=all(lower))


COLUMNS = ['age', 'workclass', 'fnlwgt', 'education', 'education_num', 'marital', 'occupation', 'relationship', 'race', 'sex', 'gain', 'loss', 'hours', 'country', 'income']
GAP = 'demographic_parity_difference'

def people(method, data, criteria):
    "Gap by sex on the judged rows, with verdict and cost; None: of the arm `simple`"
    import tempfile
    from tlnb import Recipe, adapt, load
    from tlnb.bias import check_bias
    with tempfile.TemporaryDirectory() as place:
        pd.read_csv(f'{data}/tabular/adult.train', header=None, names=COLUMNS, skipinitialspace=True, na_values='?').to_csv(f'{place}/adult.csv', index=False)
        recipe = Recipe.for_tabular(data=f'{place}/adult.csv', target='income', sensitive=['sex'], data_judged=.25, train_epochs=6, run_seeds=1, run_jobs=1, bias_mitigation=method, bias_criteria=criteria)
        ds = load(recipe)
        run = adapt(ds, folder=f'{place}/run')
        if method == 'none': run.train(['simple'])
        d, arm = check_bias(run).to_dict(), run.best[0]
    one = lambda part: next(o for o in part if o['attribute'] == 'sex' and o['metric'] == GAP)
    brief = lambda o: dict(value=o['value'], interval=o['interval'], verdict=o['verdict'])
    m = d['mitigation']
    out = dict(arm=arm, rows=d['rows'], verdict=d['verdict'], gap=brief(one(d['gaps'])), gaps={o['metric']: brief(o) for o in d['gaps']},
        simple=next((o['value'] for o in d['context'] if o['of'] == 'simple' and o['metric'] == GAP), None))
    return {**out, **(dict(before=brief(one(m['before']['gaps'])), accuracy=[m['before']['accuracy'], m['after']['accuracy']], cost=m['cost'], strength=m['strength'], dropped=m.get('dropped') or []) if m else {})}

def adult(data, kept):
    "Each mitigation on Adult, by sex; demographic parity decides"
    if not Path(data, 'tabular', 'adult.train').exists(): print('Adult is not there: --data'); return dict(adult_there=False)
    found = {m: kept(people, method=m, data=str(data), criteria=['demographic_parity']) for m in ('none', 'thresholds', 'penalty', 'reweighing', 'resampling', 'drop_proxies')}
    none, all_rows = found['none'], pd.read_csv(f'{data}/tabular/adult.train', header=None, names=COLUMNS, skipinitialspace=True)
    base = all_rows.groupby('sex').income.apply(lambda o: float((o == '>50K').mean())).tolist()
    print(f"Adult, {none['rows']:,} judged rows, {none['arm'].replace('_', ' ')}: demographic parity by sex {none['gap']['value']:.3f} ({none['gap']['interval'][0]:.3f} to {none['gap']['interval'][1]:.3f}), {none['gap']['verdict']}; "
        f"of the arm simple {'not trained' if none['simple'] is None else format(none['simple'], '.3f')}; base rates of all rows {' and '.join(f'{o:.3f}' for o in base)}")
    for m, o in found.items():
        if m == 'none': continue
        print(f"  {m:13s} {o['before']['value']:.3f} to {o['gap']['value']:.3f} ({o['gap']['interval'][0]:.3f} to {o['gap']['interval'][1]:.3f}), limit 0.1: {o['gap']['verdict']}; gate with this criterion: {o['verdict']}; strength {o['strength']:g}; "
            f"accuracy {o['accuracy'][0]:.3f} to {o['accuracy'][1]:.3f}, cost {o['cost']['value']:+.3f} ({o['cost']['interval'][0]:+.3f} to {o['cost']['interval'][1]:+.3f}); true positive rates differ by {o['gaps']['equal_opportunity_difference']['value']:.3f}"
            + (f"; left out: {', '.join(o['dropped'])}" if o['dropped'] else ''))
    return dict(adult=none['simple'] is None or abs(none['simple'] - .18) <= .02, base=np.allclose(base, [.11, .31], atol=.005), adult_mended=any(o['gap']['verdict'] == 'pass' for m, o in found.items() if m != 'none'))


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

def theirs(n, samples, sizes=(1, 2, 3)):
    "Seconds of fairlearn's MetricFrame with its bootstrap, over the same seven groupings, or those of so many attributes"
    from itertools import combinations
    from fairlearn import metrics as fm
    from sklearn.metrics import accuracy_score, precision_score
    y, p, groups = table(n)
    rates = dict(selection_rate=fm.selection_rate, tpr=fm.true_positive_rate, fpr=fm.false_positive_rate, fnr=fm.false_negative_rate, accuracy=accuracy_score, precision=precision_score)
    start = time.time()
    for size in sizes:
        for some in combinations(groups, size):
            fm.MetricFrame(metrics=rates, y_true=y, y_pred=p, sensitive_features=groups[list(some)], n_boot=samples, ci_quantiles=[.025, .975], random_state=0).by_group_ci
    return time.time() - start

def timed(rows, fewer):
    "Seconds and GB of either side, in one run"
    def child(*of): return json.loads(subprocess.run([sys.executable, '-W', 'ignore', __file__, '--ours', *map(str, of)], capture_output=True, text=True, check=True).stdout)
    return dict(big=child(rows, 1000), small=child(rows//50, fewer), one=theirs(rows, 1, (3,)), two=theirs(rows, 2, (3,)), all=theirs(rows//50, fewer))

def speed(rows, kept, fewer=20):
    "All rows: fairlearn with one sample and with two, for three attributes crossed only, scaled to 1,000; a fiftieth of the rows: both with as many samples and over all groupings"
    big, small, one, two, all_ = (kept(timed, rows=rows, fewer=fewer)[k] for k in ('big', 'small', 'one', 'two', 'all'))
    scaled = one + 999*max(two - one, 1e-9)
    print(f"{rows:,} rows, 3 attributes in 7 groupings, 1,000 samples: {big['seconds']:.1f} s, {big['gb']:.2f} GB")
    print(f"  fairlearn with only one of the 7 groupings, all three crossed: 1 sample {one:.1f} s, 2 samples {two:.1f} s, so 1,000 would take {scaled/60:.0f} min, "
        f"{scaled/big['seconds']:.0f} times as long as ours for all 7 (scaled linearly, not measured)")
    print(f"{rows//50:,} rows, 7 groupings, {fewer} samples, both measured in full: {small['seconds']:.2f} s and {all_:.1f} s: {all_/small['seconds']:.0f} times as long")
    return dict(memory=big['gb'] < 4, faster=two > one and scaled/big['seconds'] >= 10 and all_/small['seconds'] >= 10)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (('sets', 2000), ('seeds', 20), ('drawn', 10), ('twins', 10), ('mended', 3), ('rows', 1_000_000), ('jobs', os.cpu_count())): p.add_argument(f'--{name}', type=int, default=default)
    p.add_argument('--data', default=os.environ.get('TLNB_TEST_DATA', '../shared/data'), help='real data')
    p.add_argument('--keep', default='', help='file of what was measured already')
    p.add_argument('--ours', type=int, nargs=2, help=argparse.SUPPRESS)
    p.add_argument('--only', default='simulate,loans,terms,adult,speed')
    a = p.parse_args()
    if a.ours: return ours(*a.ours)
    kept = Kept(a.keep)
    parts = dict(simulate=lambda: told(simulate(a.sets, a.jobs, kept)), loans=lambda: loans(a.seeds, kept), terms=lambda: terms(a.drawn, a.twins, a.mended, kept), adult=lambda: adult(a.data, kept), speed=lambda: speed(a.rows, kept))
    met = {k: v for name in a.only.split(',') for k, v in parts[name]().items()}
    print('every aim is met' if all(met.values()) else 'missed: ' + ', '.join(k for k, v in met.items() if not v))
    sys.exit(not all(met.values()))


if __name__ == '__main__': main()
