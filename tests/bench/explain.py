"""Are explanations true, the same as shap's own, fast, and bounded? Planted causes, reference explainers, shap as fastai's users call it; exit 1 where an aim is missed.

    python tests/bench/explain.py --out /tmp/explain.json [--only truth reference speed memory] [--items 100]
"""
import argparse, json, sys, tempfile, time, warnings
from pathlib import Path

warnings.filterwarnings('ignore')

import numpy as np
import pandas as pd

CAUSE,CUE = 2,1.5 # how strong the plants are: at 1 another column counts more in a quarter of the loans by the rule itself, and many a ticket says what it is about without the name

AIMS = dict(first=.95, twin=.05, falls=.10, tabular=.99, vision=.90, text=.90, additivity=1e-5, speed_tabular=200, speed_vision=6, speed_text=3)


# ---- models that depend on a plant, and their twins that never saw it

def loans_run(work, cause=CAUSE, n_train=6000, epochs=12):
    "A network on loans with or without the planted cause"
    from tlnb import Recipe, adapt, load
    from tlnb.tabular.loans import make_loans
    file = Path(work)/f'loans-{cause}.csv'
    make_loans('B', n_train=n_train, n_judged=1000, cause=cause).to_csv(file, index=False)
    return adapt(load(Recipe.for_tabular(data=str(file), target='defaulted', data_split='split', run_seeds=1, train_epochs=epochs, run_jobs=1)), folder=Path(work)/f'run-loans-{cause}')

def parts_run(work, shortcut=True, n_train=600, n_judged=300, epochs=20):
    "A network on parts whose defective ones are chalked in a corner, judged on parts that are chalked alike; or on the same parts without chalk"
    from tlnb import Recipe, adapt, load
    from tlnb.vision.parts import TARGET, make_parts, write_items
    pictures,frame = make_parts(n_train=n_train + n_judged, n_judged=0, shortcut=shortcut)
    frame['split'] = np.where(np.random.default_rng(0).permutation(len(frame)) < n_train, 'train', 'test')
    (folder := Path(work)/f'parts-{shortcut}').mkdir(exist_ok=True)
    write_items(folder, pictures, frame, TARGET)
    r = Recipe.for_vision(data=str(folder/'items.csv'), target=TARGET, data_split='split', run_seeds=1, train_epochs=epochs, run_jobs=1, vision_augment='none', run_cache=str(Path(work)/'cache'))
    return adapt(load(r), folder=Path(work)/f'run-parts-{shortcut}')

def accuracy(run, frame, y): return float((run.fitted().score(frame).argmax(1) == y).mean())

def explained(run, items, **how):
    "These items, without the general view"
    from tlnb.explain import Explainer
    return Explainer(run, **how)(items, general=False).to_dict()

def true_lead(ds, rows, cause=CAUSE):
    "By how much, in each row, the planted cause leads the next column by the rule that drew the data, known exactly: ratio of Shapley values"
    from tlnb.game import Game, RawBoard, untouched
    from tlnb.shapley import permutation
    from tlnb.tabular.loans import SHIFT, SLOPES, _logit
    from tlnb.tabular.masker import TabularMasker
    middle = ds.frame.iloc[ds.train].median(numeric_only=True)
    def whole(frame): return frame.fillna(middle).fillna({'seasonal': 'no'}).fillna('') # where a cell is missing the rule knows more than the table
    def risk(frame): return 1/(1 + np.exp(-np.nan_to_num(_logit(frame, SLOPES + SHIFT, cause, True))))[:, None]
    board = RawBoard(TabularMasker(), list(rows), whole(rows), whole(TabularMasker().background(ds, 50, 0)))
    board.batch = 200_000
    with untouched(): values = permutation(Game(risk, board, np.zeros(len(rows), int)), rows.shape[1], 150).values
    size,at = np.abs(values),list(rows).index('channel')
    return size[:, at]/np.maximum(np.delete(size, at, 1).max(1), 1e-12)

def truth_tabular(work, n):
    "The planted cause: first in the items that contain it; how often it is by the rule itself, at this strength and at the usual one; accuracy where the column is drawn from rows without it"
    out,runs = {},{k: loans_run(work, k) for k in (CAUSE, 0)}
    ds = runs[CAUSE].dataset
    rows,y = ds.frame.iloc[ds.judged].reset_index(drop=True),ds.y[ds.judged]
    has = (rows.channel == 'broker').to_numpy()
    without = rows.assign(channel=np.where(has, 'branch', rows.channel))
    out['falls'] = accuracy(runs[CAUSE], rows[has], y[has]) - accuracy(runs[CAUSE], without[has], y[has])
    at = np.flatnonzero(has)[:n]
    for k,run in runs.items():
        d = explained(run, [int(i) for i in run.dataset.judged[at]])
        first = np.array([i['top'][0]['feature'] == 'channel' for i in d['items']])
        if not k: out['twin'] = float(first.mean())
        else: out.update(first=float(first.mean()), items=len(at), **{f'first_by_the_rule_{o}': float((true_lead(ds, rows.iloc[at].reset_index(drop=True), o) > 1).mean()) for o in (CAUSE, 1)},
            additivity=d['residual_max'], agreement=d['agreement'], agreement_min=d['agreement_min'], stability=d['stability'])
    return out

def in_corner(item):
    "Whether the area that counts most lies in the corner of the chalk"
    from tlnb.places import _areas
    from tlnb.vision.parts import CORNER, SIDE
    labels = _areas(item['look'])
    first = labels == item['features'].index(item['top'][0]['feature'])
    scale = labels.shape[0]/SIDE
    box = np.zeros(labels.shape, bool)
    box[tuple(slice(int(np.floor(o.start*scale)) if o.start else 0, int(np.ceil(o.stop*scale)) if o.stop else None) for o in CORNER)] = True
    return bool(first[box].sum() > .5*first.sum())

def truth_vision(work, n, **how):
    "The same of chalk in the corner"
    runs = {k: parts_run(work, k) for k in (True, False)}
    on,off = (r.dataset for r in runs.values())
    at = on.judged
    decoded = [[np.asarray(runs[True].fitted().prep.pixels(o), int) for o in ds.frame.path.iloc[at]] for ds in (on, off)]
    has = np.array([(a != b).any() for a,b in zip(*decoded)])
    out = dict(falls=accuracy(runs[True], on.frame.iloc[at[has]], on.y[at[has]]) - accuracy(runs[True], off.frame.iloc[at[has]], on.y[at[has]]))
    for k,run in runs.items():
        items = [int(i) for i in at[has]][:n]
        d = explained(run, items, **how)
        out['first' if k else 'twin'] = float(np.mean([in_corner(i) for i in d['items']]))
        if k: out.update(items=len(items), additivity=d['residual_max'], stability=d['stability'])
    return out


def tickets_run(work, cue=CUE, lot=False, n_train=600, n_judged=300):
    "A network of its own on tickets with the names of those who forwarded them; on the same tickets without; or with names drawn by lot, which it knows as words that mean nothing"
    from tlnb import Recipe, adapt, load
    from tlnb.text.tickets import CUES, make_tickets
    name = f"tickets-{cue}{'-lot' if lot else ''}"
    file = Path(work)/f'{name}.csv'
    frame = make_tickets(n_train=n_train, n_judged=n_judged, cue=cue)
    if lot: frame['text'] = frame.text + [f' (fwd {o})' for o in np.random.default_rng(0).choice(list(CUES.values()), len(frame))]
    frame.drop(columns='mentions').to_csv(file, index=False)
    r = Recipe.for_text(data=str(file), target='queue', text='text', data_split='split', transfer_baselines=['from_scratch'], run_seeds=1, run_jobs=1, run_cache=str(Path(work)/'cache'))
    return adapt(load(r), folder=Path(work)/f'run-{name}')

def truth_text(work, n):
    "The same of the name beneath a ticket, in the items that are sorted by it rightly; in the same texts where names mean nothing to the model, and where it has never seen one"
    from tlnb.text.tickets import CUES
    runs = dict(first=tickets_run(work), twin=tickets_run(work, 0, lot=True), twin_unseen=tickets_run(work, 0))
    ds,out = runs['first'].dataset,{}
    rows,y = ds.frame.iloc[ds.judged].reset_index(drop=True),ds.y[ds.judged]
    has = np.array([o.endswith(f'(fwd {CUES[ds.classes[c]]})') for o,c in zip(rows.text, y)])
    bare = rows.assign(text=rows.text.str.replace(r' \(fwd \w+\)$', '', regex=True))
    out['falls'] = accuracy(runs['first'], rows[has], y[has]) - accuracy(runs['first'], bare[has], y[has])
    right = runs['first'].fitted().score(rows).argmax(1) == y
    at = np.flatnonzero(has & right)[:n]
    for k,run in runs.items():
        d = explained(run, rows.iloc[at])
        out[k] = float(np.mean([i['top'][0]['feature'] in CUES.values() for i in d['items']]))
        if k == 'first': out.update(items=len(at), additivity=d['residual_max'], stability=d['stability'])
    return out

# ---- the same as shap's own, called on fastai's own functions as its users write it

def fastai_table(work):
    "A learner of fastai's own on loans, and its rows"
    from fastai.tabular.all import CategoryBlock, Categorify, FillMissing, Normalize, TabularDataLoaders, tabular_learner
    from tlnb.tabular.loans import TARGET, make_loans
    df = make_loans('B', n_train=2000, n_judged=400).drop(columns=['split'])
    cont = [c for c in df if pd.api.types.is_numeric_dtype(df[c]) and c != TARGET]
    cat = [c for c in df if c not in cont and c != TARGET]
    df[TARGET] = df[TARGET].astype(str)
    dls = TabularDataLoaders.from_df(df, '.', procs=[Categorify, FillMissing, Normalize], cat_names=cat, cont_names=cont, y_names=TARGET, y_block=CategoryBlock(), valid_idx=range(2000, 2400), bs=256)
    learn = tabular_learner(dls, layers=[128, 64])
    with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(3, 1e-2)
    return learn, df, cat + cont

def table_by_shap(learn, rows, background, columns, evaluations):
    "shap's permutation explainer on `get_preds`, which takes numbers only, so that categories go through as codes: [n, columns]"
    import shap
    every = pd.concat([rows, background])
    known = {c: sorted(every[c].unique()) for c in columns if not pd.api.types.is_numeric_dtype(every[c])}
    def coded(df): return np.stack([df[c].map(known[c].index) if c in known else df[c] for c in columns], 1).astype(float)
    def f(x):
        df = pd.DataFrame({c: [known[c][int(o)] for o in v] if c in known else v for c,v in zip(columns, x.T)})
        with learn.no_bar(), learn.no_logging(): return learn.get_preds(dl=learn.dls.test_dl(df, bs=4096))[0][:, 1].numpy()
    return shap.PermutationExplainer(f, shap.maskers.Independent(coded(background), len(background)), seed=0)(coded(rows), max_evals=evaluations, silent=True).values

def tables(work, n=100, theirs=2, background=50):
    "Correlation with shap on get_preds at equal evaluations, and how many times faster; also the exact values"
    from tlnb import Run, explain
    from tlnb.subject import Subject
    from tlnb.methods import play
    learn,df,columns = fastai_table(work)
    run = Run.from_learner(learn, df.iloc[2000:2400], folder=Path(work)/'learner-table', explain_background=background)
    order = 2*len(run.dataset.frame.columns) + 1
    evaluations = order*4
    items = [int(o) for o in run.dataset.judged[:n]]
    def ours(method, reference=True):
        subject = Subject(run, planned=n*evaluations)
        start = time.perf_counter()
        rows = run.dataset.frame.iloc[items].reset_index(drop=True)
        found = play(subject, rows, np.ones((n, 1), int), method, evaluations if reference else 0, 0)
        return time.perf_counter() - start, np.array([o.values[0] for o in found]), subject
    ours('permutation')
    seconds,values,subject = ours('permutation')
    deep_s,deep,_ = ours('deep', False)
    rows,b = run.dataset.frame.iloc[items[:theirs]],subject.background
    start = time.perf_counter()
    right = table_by_shap(learn, rows, b, list(rows.columns), evaluations)
    per_row = (time.perf_counter() - start)/theirs
    p = run.fitted().score(run.dataset.frame.iloc[items])[:, 1]
    base = run.fitted().score(b)[:, 1].mean()
    return dict(tabular=float(np.corrcoef(values[:theirs].ravel(), right.ravel())[0, 1]), deep=float(np.corrcoef(deep.ravel(), values.ravel())[0, 1]), evaluations=evaluations, seconds=seconds,
        deep_seconds=deep_s, shap_seconds_100=per_row*n, speed_tabular=per_row*n/seconds, speed_deep=per_row*n/deep_s, additivity=float(max(np.abs(p - base - deep.sum(1)).max(), np.abs(p - base - values.sum(1)).max())), runtime=subject.scorer.runtime, parity=subject.scorer.parity)

def pictures(work, n=3, evaluations=200):
    "The same of a picture: shap's partition explainer on the same areas, called on fastai's `predict`, and on its `get_preds` in one batch"
    import shap, torch
    from fastai.vision.all import ImageDataLoaders, Learner, PILImage, CrossEntropyLossFlat
    from tlnb import Run
    from tlnb.methods import play
    from tlnb.shapley import _Shown
    from tlnb.subject import Subject
    from tlnb.vision.net import TinyNet
    from tlnb.vision.parts import TARGET, make_parts, write_items
    x,frame = make_parts(n_train=300, n_judged=60)
    (folder := Path(work)/'pictures').mkdir(exist_ok=True)
    write_items(folder, x, frame, TARGET)
    table = pd.read_csv(folder/'items.csv')
    dls = ImageDataLoaders.from_df(table.assign(is_valid=table.split == 'test'), folder, fn_col='path', label_col=TARGET, valid_col='is_valid', bs=32, num_workers=0)
    torch.manual_seed(0)
    learn = Learner(dls, TinyNet(3), loss_func=CrossEntropyLossFlat())
    with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(4, 3e-3)
    run = Run.from_learner(learn, [folder/o for o in table.path[300:300+n]], folder=Path(work)/'learner-pictures')
    subject = Subject(run, planned=n*evaluations)
    rows = run.dataset.frame.iloc[run.dataset.judged].reset_index(drop=True)
    p = run.fitted().score(rows)
    boards = subject.boards(rows)
    play(subject, rows[:1], p.argmax(1)[:1, None], 'owen', 20, 0) # shap is imported, and compiles
    start = time.perf_counter()
    found = play(subject, rows, p.argmax(1)[:, None], 'owen', evaluations, 0)
    seconds = time.perf_counter() - start
    right,took = [],0.
    for board,c in zip(boards, p.argmax(1)):
        def predict(shown):
            xs = [board.inputs(np.array([0]), ~np.asarray(o, bool)[None])[0][0].transpose(1, 2, 0) for o in shown]
            with learn.no_bar(), learn.no_logging(): return np.array([learn.predict(PILImage.create(o))[2][c].item() for o in xs])
        start,values = time.perf_counter(),[]
        for k in (0, 1):
            np.random.seed(k)
            values.append(shap.PartitionExplainer(predict, _Shown(len(board.features), board.tree(k)))(np.ones((1, len(board.features))), max_evals=evaluations//2, batch_size=max(2, evaluations//16), silent=True).values[0])
        took += time.perf_counter() - start
        right.append(np.mean(values, axis=0).ravel())
    own = [o.values[0] for o in found]
    return dict(vision=float(np.mean([np.corrcoef(a, b)[0, 1] for a,b in zip(own, right)])), seconds=seconds, shap_seconds=took, speed_vision=took/seconds, evaluations=evaluations,
        additivity=float(max(abs(p[i, c] - o.base[0] - o.values[0].sum()) for i,(o,c) in enumerate(zip(found, p.argmax(1))))), runtime=subject.scorer.runtime, why=subject.scorer.why)

def fastai_texts(full=False):
    "A learner of fastai's own on tickets, smaller than its usual one so that it learns here; or its usual one, untrained"
    import torch
    from fastai.text.all import AWD_LSTM, TextDataLoaders, awd_lstm_clas_config, text_classifier_learner
    from tlnb.text.tickets import TARGET, make_tickets
    df = make_tickets(n_train=600, n_judged=100, cue=CUE)
    torch.manual_seed(0)
    dls = TextDataLoaders.from_df(df.assign(last=df.split == 'test'), text_col='text', label_col=TARGET, valid_col='last', bs=16, num_workers=0)
    config = awd_lstm_clas_config if full else dict(awd_lstm_clas_config, emb_sz=100, n_hid=150, n_layers=2)
    learn = text_classifier_learner(dls, AWD_LSTM, pretrained=False, config=dict(config), drop_mult=.2)
    with learn.no_bar(), learn.no_logging():
        if not full: learn.fit_one_cycle(8, 1e-2)
    return learn, df[600:].reset_index(drop=True)

def text_by_shap(f, texts, outputs, evaluations):
    "shap's partition explainer with shap's own masker of texts, on one text after another: values of each"
    import shap
    from tlnb.text.masker import words
    def cut(s, return_offsets_mapping=True): # shap's masker takes any function that cuts like a tokenizer
        spans = words(s)
        return dict(input_ids=[s[a:b] for a,b in spans], offset_mapping=spans)
    masker,out = shap.maskers.Text(cut, mask_token='…', collapse_mask_token=False),[]
    for text,c in zip(texts, outputs):
        def shown(masked): return f([str(o).replace('…', ' ') for o in masked])[:, c]
        out.append(shap.PartitionExplainer(shown, masker)([text], max_evals=evaluations, silent=True).values[0].ravel())
    return out

def texts(work, n=3, evaluations=600):
    "The same of a text: shap on fastai's `predict`, and on its `get_preds`; of fastai's usual network, untrained, the speed alone"
    from tlnb import Run
    from tlnb.methods import play
    from tlnb.subject import Subject
    from tlnb.text.masker import words
    def timed(learn, texts, evaluations):
        run = Run.from_learner(learn, texts, folder=Path(work)/f'learner-texts-{len(texts)}')
        subject,rows = Subject(run, planned=len(texts)*evaluations),run.dataset.frame
        p = run.predictions()['judged']
        c = p.argmax(1)
        play(subject, rows[:1], c[:1, None], 'owen', 20, 0) # shap is imported
        start = time.perf_counter()
        found = play(subject, rows, c[:, None], 'owen', evaluations, 0)
        took = dict(ours=time.perf_counter() - start)
        def predict(shown): return np.array([learn.predict(o)[2].numpy() for o in shown])
        def get_preds(shown): return learn.get_preds(dl=learn.dls.test_dl(shown))[0].numpy()
        with learn.no_bar(), learn.no_logging():
            for f in (predict, get_preds):
                start = time.perf_counter()
                right = text_by_shap(f, texts, c, evaluations)
                took[f.__name__] = time.perf_counter() - start
        off = max(abs(p[i, k] - o.base[0] - o.values[0].sum()) for i,(o,k) in enumerate(zip(found, c)))
        return took, float(np.mean([np.corrcoef(o.values[0], r)[0, 1] for o,r in zip(found, right)])), float(off)
    learn,frame = fastai_texts()
    with learn.no_bar(), learn.no_logging(): sorted_right = float((learn.get_preds()[0].argmax(1) == learn.get_preds()[1]).float().mean())
    some = [o for o in frame.text if len(words(o)) <= 50][:n] # of a longer one words are taken together
    took,alike,off = timed(learn, some, evaluations)
    full,*_ = timed(fastai_texts(True)[0], some[:1], evaluations//6)
    return dict(text=alike, evaluations=evaluations, seconds=took['ours'], predict_seconds=took['predict'], get_preds_seconds=took['get_preds'], speed_text=took['predict']/took['ours'], speed_text_get_preds=took['get_preds']/took['ours'],
        speed_text_usual_network=full['predict']/full['ours'], speed_text_usual_network_get_preds=full['get_preds']/full['ours'], additivity=off, accuracy=sorted_right)

def memory(work, n=20):
    "Megabytes at the peak of the game's own arrays for twenty items, which fill a batch, and for a hundred: bounded by the batch"
    import tracemalloc
    from tlnb.methods import play
    from tlnb.subject import Subject
    run,out = loans_run(work),[]
    for k in (1, n, 5*n): # the first imports shap
        rows = run.dataset.frame.iloc[run.dataset.judged[:k]].reset_index(drop=True)
        subject = Subject(run, planned=k*500, runtime='torch')
        tracemalloc.start()
        play(subject, rows, np.ones((k, 1), int), 'permutation', 100, 0)
        out.append(tracemalloc.get_traced_memory()[1]/2**20)
        tracemalloc.stop()
    return dict(some=out[1], many=out[2], times=out[2]/out[1])

# ---- what is aimed at

def missed(found):
    "Each aim that was not reached, in words"
    out = []
    def need(part, key, ok, aim):
        if part in found and not ok(found[part][key]): out.append(f'{part}: {key} is {found[part][key]:.4g}, aimed at {aim}')
    for part in ('truth_tabular', 'truth_vision', 'truth_text'):
        need(part, 'falls', lambda v: v >= AIMS['falls'], f">= {AIMS['falls']}")
        need(part, 'first', lambda v: v >= AIMS['first'], f">= {AIMS['first']}")
        need(part, 'twin', lambda v: v <= AIMS['twin'], f"<= {AIMS['twin']}")
        need(part, 'additivity', lambda v: v <= AIMS['additivity'], f"<= {AIMS['additivity']}")
    for part,key in (('tables', 'tabular'), ('pictures', 'vision'), ('texts', 'text')):
        need(part, key, lambda v: v >= AIMS[key], f'>= {AIMS[key]}')
        need(part, f'speed_{key}', lambda v: v >= AIMS[f'speed_{key}'], f">= {AIMS[f'speed_{key}']} times")
        need(part, 'additivity', lambda v: v <= AIMS['additivity'], f"<= {AIMS['additivity']}")
    need('memory', 'times', lambda v: v <= 2, '<= 2 times that of a fifth of the items')
    return out

PARTS = dict(tables=lambda w, n: tables(w), pictures=lambda w, n: pictures(w), texts=lambda w, n: texts(w), memory=lambda w, n: memory(w), truth_tabular=truth_tabular, truth_vision=truth_vision, truth_text=truth_text)

def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument('--out'); ap.add_argument('--only', nargs='*', default=list(PARTS), choices=list(PARTS)); ap.add_argument('--items', type=int, default=100)
    ap.add_argument('--work', help='keep the models here')
    a,found = ap.parse_args(),{}
    with tempfile.TemporaryDirectory() as tmp:
        for part in a.only:
            start = time.time()
            found[part] = dict(PARTS[part](Path(a.work or tmp), a.items), took=round(time.time() - start))
            print(part, {k: float(f'{v:.5g}') if isinstance(v, float) else v for k,v in found[part].items()}, flush=True)
    if a.out: Path(a.out).write_text(json.dumps(found, indent=1))
    for o in (bad := missed(found)): print('MISSED', o)
    sys.exit(bool(bad))

if __name__ == '__main__': main()
