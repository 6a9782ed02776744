"""Kill a worker with SIGKILL at random moments until it is done, and compare what it made with what an unbroken one makes.

    python tests/killing.py fit_tabular --kills 5

A worker is a function `(folder, begin) -> {'splits': ..., 'scores': ...}` of this file. It works in `folder`, goes on from what it finds there, and
calls `begin()` when its real work begins: kills come at moments that are uniform over what is left of the time that an unbroken worker takes from there.
Each attempt is a process of its own, forked from one that has done the imports.
"""
import argparse, importlib, json, os, random, signal, sys, tempfile, time, traceback
from pathlib import Path

# What a worker needs, by the first word of its name: imported before forking
IMPORTS = {'fit': ['learners', 'tlnb.training'], 'adapt': ['tlnb.adapt', 'tlnb.arms', 'tlnb.tabular.loans', 'tlnb.tabular.modality',
                                                           'tlnb.tabular.learner', 'tlnb.tabular.carry', 'tlnb.tabular.simple',
                                                           'tlnb.vision.modality', 'tlnb.vision.learner', 'tlnb.vision.carry', 'tlnb.vision.parts']}


def _fit(kind, folder, begin):
    import torch
    from learners import LEARNERS
    from tlnb.training import Phase, fit
    torch.set_num_threads(1)
    learner = LEARNERS[kind]()
    begin()
    result = fit(learner, [Phase('head', 3, 0.01, -1), Phase('all', 15, 'find')], folder, seed=4, patience=18, every=0)
    learner.model.eval()
    scores = [float(o) for v in learner.model.state_dict().values() for o in v.double().flatten()]
    return {'splits': result.epochs, 'scores': scores + [o['valid_loss'] for o in result.history]}

def fit_tabular(folder, begin): return _fit('tabular', folder, begin)
def fit_vision(folder, begin): return _fit('vision', folder, begin)


def adapt_loans(folder, begin, jobs=1):
    "Source, every arm, two seeds, and a size of the labels-needed curve, with a checkpoint after each epoch"
    from tlnb.adapt import adapt
    from tlnb.arms import ARMS
    from tlnb.dataset import load
    from tlnb.recipe import Recipe
    from tlnb.tabular.loans import TARGET, make_loans
    from tlnb.training import fit
    fit.__kwdefaults__['every'] = 0.
    tables = [folder.parent/'a.csv', folder.parent/'b.csv']
    make_loans('A', n_source=600).to_csv(tables[0], index=False)
    make_loans('B', n_train=160, n_judged=200).to_csv(tables[1], index=False)
    recipe = Recipe.for_tabular(data=str(tables[1]), target=TARGET, source_data=str(tables[0]), run_seeds=2, run_jobs=jobs,
                                train_epochs=5, train_head_epochs=2, train_lr='find', tabular_layers=[16, 8])
    dataset = load(recipe)
    begin()
    run = adapt(dataset, folder=folder)
    arms = [a for a in ARMS if a != 'zero_shot'] # nothing describes the classes of a table
    run.train(arms)
    run.train(['fine_tuning'], (60,))
    pieces = [(a, s, None) for a in arms for s in run.seeds] + [('fine_tuning', s, 60) for s in run.seeds]
    predictions = {p: run.predictions(*p) for p in pieces}
    inner = [{k: v for k,v in run.result(*p)['inner'].items() if v is not None} for p in pieces]
    assert all(run.result(*p)['status'] == 'done' for p in pieces)
    return {'splits': [dataset.fingerprint, dataset.train.tolist(), dataset.judged.tolist(), [o['valid_rows'].tolist() for o in predictions.values()]],
            'scores': [float(x) for o in predictions.values() for k in ('judged', 'valid') for x in o[k].ravel()] + [v for o in inner for v in o.values()]}

def adapt_loans_parallel(folder, begin):
    "The same in two worker processes, which outlive an owner that is killed"
    import tlnb.adapt
    tlnb.adapt.WORKER_START = 0
    return adapt_loans(folder, begin, jobs=2)


def adapt_parts(folder, begin):
    "Pictures: pixels and features of three passes are computed and kept, then heads and a whole network are trained"
    from tlnb.adapt import adapt
    from tlnb.dataset import load
    from tlnb.recipe import Recipe
    from tlnb.training import fit
    from tlnb.vision.parts import make_parts, write_items, TARGET
    fit.__kwdefaults__['every'] = 0.
    if not (data := folder.parent/'parts'/'items.csv').is_file(): write_items(data.parent, *make_parts(n_train=90, n_judged=150), TARGET)
    recipe = Recipe.for_vision(data=str(data), target=TARGET, data_split='split', source='parts', run_cache=str(folder.parent/'cache'), run_seeds=1, run_jobs=1,
                               train_epochs=4, train_head_epochs=1, train_lr='find')
    dataset = load(recipe)
    begin()
    run = adapt(dataset, folder=folder)
    arms = ['domain_adaptation', 'feature_extraction', 'fine_tuning']
    predictions = {a: run.predictions(a, 0) for a in arms}
    assert all(run.result(a, 0)['status'] == 'done' for a in arms)
    return {'splits': [dataset.fingerprint, dataset.train.tolist(), dataset.judged.tolist(), [o['valid_rows'].tolist() for o in predictions.values()]],
            'scores': [float(x) for o in predictions.values() for k in ('judged', 'valid') for x in o[k].ravel()]}


class Attempt:
    "One process that works until it is done or killed"
    def __init__(self, worker, folder):
        self.outcome = folder/'outcome.json'
        r,w = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(r)
            code = 1
            try:
                os.setsid()
                outcome = worker(folder/'work', lambda: os.write(w, b'.'))
                self.outcome.write_text(json.dumps(outcome))
                code = 0
            except BaseException: traceback.print_exc()
            finally: os._exit(code)
        os.close(w)
        os.read(r, 1) # work begins, or the process has died
        os.close(r)
        self.begun,self.status = time.perf_counter(), None

    def done(self):
        if self.status is None:
            pid,status = os.waitpid(self.pid, os.WNOHANG)
            if pid: self.status = status
        if self.status is not None and os.waitstatus_to_exitcode(self.status) not in (0, -signal.SIGKILL):
            raise SystemExit('the worker failed')
        return self.status is not None

    def wait(self, seconds=600.):
        "Is it done, at the latest after so many seconds?"
        until = self.begun + seconds
        while not self.done() and time.perf_counter() < until: time.sleep(0.001)
        return self.done()

    def kill(self, group):
        (os.killpg if group else os.kill)(self.pid, signal.SIGKILL)
        self.wait()

    def tidy(self):
        "End what the attempt may have left behind: processes of its own group"
        try: os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError: pass


def unbroken(worker, folder):
    folder.mkdir()
    attempt = Attempt(worker, folder)
    if not attempt.wait(): raise SystemExit('an unbroken worker takes too long')
    return json.loads(attempt.outcome.read_text()), time.perf_counter() - attempt.begun

def broken(worker, folder, kills, span, rng):
    "Work with up to `kills` kills, then to the end: the outcome, and for each kill whether something was saved, and whether a file was being written"
    folder.mkdir()
    struck,attempts,known,left = [],[],set(),span
    while len(struck) < kills:
        attempts.append(attempt := Attempt(worker, folder))
        if attempt.wait(delay := rng.uniform(0, left)): break
        left -= delay
        attempt.kill(group=rng.random() < 0.5)
        if attempt.outcome.exists(): break # it was done just then
        files = [o for o in (folder/'work').rglob('*') if o.is_file()]
        temps = {o for o in files if o.name.endswith('.tmp')}
        struck.append((len(files) > len(temps), bool(temps - known)))
        known |= temps
    if not attempt.outcome.exists():
        attempts.append(last := Attempt(worker, folder))
        if not last.wait(): raise SystemExit('a resumed worker takes too long')
    for o in attempts: o.tidy()
    return json.loads(attempt.outcome.read_text()), struck

def difference(a, b):
    return max((abs(x - y) for x,y in zip(a, b, strict=True)), default=0.)

def campaign(name, kills, seed):
    "Kill worker `name` so many times; the figures of it"
    worker,rng,begun = globals()[name],random.Random(seed),time.perf_counter()
    for o in IMPORTS.get(name.split('_')[0], []): importlib.import_module(o)
    trials,struck,splits,worst = 0,[],True,0.
    with tempfile.TemporaryDirectory() as d:
        expected,span = unbroken(worker, Path(d)/'whole')
        while len(struck) < kills:
            outcome,hits = broken(worker, Path(d)/f'{trials}', min(rng.randint(1, 5), kills - len(struck)), span, rng)
            trials,struck = trials+1, struck+hits
            splits = splits and outcome['splits'] == expected['splits']
            worst = max(worst, difference(outcome['scores'], expected['scores']))
    return dict(worker=name, kills=len(struck), runs=trials, after_a_save=sum(o[0] for o in struck), while_writing=sum(o[1] for o in struck),
                same_splits=splits, max_difference=worst, unbroken_s=round(span, 2), seconds=round(time.perf_counter() - begun, 1))

def holds(figures): return figures['same_splits'] and figures['max_difference'] <= 1e-6

if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('worker')
    parser.add_argument('--kills', type=int, default=5)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    figures = campaign(args.worker, args.kills, args.seed)
    print(json.dumps(figures))
    sys.exit(not holds(figures))
