"""A head on cached features against fastai's frozen training of the same network on the same photos, in one run; then a second arm on the same features; then memory with many rows.

    python tests/bench/cache.py --data ../shared/data
"""
import argparse, json, os, subprocess, sys, tempfile, time, warnings
from pathlib import Path

warnings.filterwarnings('ignore')

EPOCHS, SIZE = 10, 224

def recipe_of(data, cache):
    from tlnb import Recipe
    return Recipe.for_vision(data=str(data/'catsdogs'), source=str(data/'weights'/'mobilenet_v2_coral_dequant.pth'), arch='mobilenet_v2', run_cache=str(cache), run_seeds=1, run_jobs=1,
        train_epochs=EPOCHS, train_patience=EPOCHS, vision_augment='none', vision_views=0)

def ours(dataset, source, folder, seed=0):
    "Seconds and judged accuracy of feature extraction"
    from tlnb.arms import train_piece
    from tlnb.metrics import score
    from tlnb.store import RunFolder, load_tensors
    start, place = time.perf_counter(), RunFolder(folder)
    train_piece(dataset, 'feature_extraction', seed, place, source)
    p = load_tensors(place.piece('feature_extraction', seed)/'predictions.safetensors')['judged']
    return time.perf_counter() - start, score('accuracy', dataset.y[dataset.judged], p)

def plain(dataset, source):
    "Seconds and judged accuracy of fastai as its users write it: the body frozen, fit_one_cycle"
    import torch
    from fastai.callback.schedule import fit_one_cycle
    from fastai.data.block import CategoryBlock, DataBlock
    from fastai.data.transforms import ColReader, IndexSplitter
    from fastai.learner import Learner
    from fastai.metrics import accuracy
    from fastai.vision.augment import Resize
    from fastai.vision.core import imagenet_stats
    from fastai.vision.data import ImageBlock
    from fastai.data.transforms import Normalize
    torch.set_num_threads(os.cpu_count())
    torch.manual_seed(0)
    fitted = source.fitted()
    frame = dataset.frame.assign(label=[dataset.classes[o] for o in dataset.y])
    block = DataBlock((ImageBlock, CategoryBlock), get_x=ColReader('path'), get_y=ColReader('label'), splitter=IndexSplitter(dataset.judged.tolist()), item_tfms=Resize(SIZE),
        batch_tfms=Normalize.from_stats(*imagenet_stats))
    dls = block.dataloaders(frame, bs=16)
    net = fitted.kind.model(fitted.prep, 'classification', 2, None, {k: v for k,v in fitted.model.arch.items()} | dict(n_out=2))
    net.load_state_dict({k: v for k,v in fitted.model.state_dict().items() if not k.startswith('head')}, strict=False)
    learn = Learner(dls, net, metrics=accuracy, splitter=lambda m: m.groups())
    start = time.perf_counter()
    with learn.no_bar(), learn.no_logging():
        learn.freeze()
        learn.fit_one_cycle(EPOCHS, 5e-3)
    return time.perf_counter() - start, float(learn.recorder.values[-1][-1])

def memory(rows=100_000, width=1280):
    "Peak memory, in MB, that a head's training and scoring on a bank of many rows add, and what the bank holds: all that feature extraction does once features are there"
    from threading import Event, Thread
    from types import SimpleNamespace
    import numpy as np
    from tlnb import Recipe
    from tlnb.bank import Bank
    from tlnb.features import head_learner, head_scores
    from tlnb.head import Head
    from tlnb.training import Phase, fit
    from tlnb.work import scaled
    with tempfile.TemporaryDirectory() as d:
        rng, y = np.random.default_rng(0), np.arange(rows) % 2
        bank = Bank(range(rows), lambda r: rng.standard_normal((len(r), width), 'float32') + y[r, None].astype('float32'), Path(d)/'bank', chunk=4096)
        bank.ensure()
        data, head = SimpleNamespace(y=y, recipe=Recipe.for_vision(data='parts').resolve()), Head(width, 2)
        fit_rows, valid_rows = np.split(rng.permutation(rows), [rows*3//4])
        before, peak, done = _anonymous(), [0.], Event()
        def watch():
            while not done.wait(.02): peak[0] = max(peak[0], _anonymous())
        (watching := Thread(target=watch)).start()
        try:
            scaled(SimpleNamespace(head=head), SimpleNamespace(classes=[]), bank, fit_rows)
            fit(head_learner(head, [bank], data, None, fit_rows, valid_rows), [Phase('head', 2, .005, -1)], Path(d)/'fit')
            head_scores(head, bank, np.arange(rows), None)
        finally: done.set(); watching.join()
        return peak[0] - before, rows*width*4/1e6

def _anonymous():
    "Memory of this process that is no mapped file, in MB"
    return sum(int(o.split()[1]) for o in open('/proc/self/status') if o.startswith('RssAnon'))/1e3

def main():
    p = argparse.ArgumentParser(); p.add_argument('--data', default='../shared/data')
    data = Path(p.parse_args().data).resolve()
    import torch
    from tlnb import load
    from tlnb.source import find_source
    with tempfile.TemporaryDirectory() as d:
        d = Path(d)
        dataset = load(recipe_of(data, d/'cache'))
        source = find_source(dataset.recipe, dataset, None)
        theirs, was = plain(dataset, source)
        first, value = ours(dataset, source, d/'first')
        second, again = ours(dataset, source, d/'second', seed=1)
    added, holds = memory()
    print(f'{dataset.n_train} photos, MobileNetV2, {EPOCHS} epochs of the head')
    print(f'fastai, frozen fit_one_cycle   {theirs:7.1f} s   accuracy {was:.3f} on {dataset.n_judged} judged photos')
    print(f'cached features                {first:7.1f} s   accuracy {value:.3f}   {theirs/first:.1f} times faster')
    print(f'a second arm on them           {second:7.2f} s   accuracy {again:.3f}   {theirs/second:.0f} times faster')
    print(f'{holds:,.0f} MB of features of 100,000 rows, a head trained on them and all rows scored: {added:.0f} MB more in memory at most')
    sys.exit(not (theirs/first >= 8 and theirs/second >= 50 and value >= was - .03 and added < holds/2))

if __name__ == '__main__': main()
