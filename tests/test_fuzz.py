"""Whatever a file holds, it is read or refused in one line: never a traceback, never a dataset that breaks its promises.

`make bench` feeds 5,000 tables; `TLNB_FUZZ=5000` and `TLNB_FUZZ_SEED=17` feed so many, or one of them again. `BEYOND` holds what else
an accepted dataset has to go through: functions of the dataset, called for every tenth."""
import json, os, warnings

import numpy as np
import pytest
from mutate import case

from tlnb.dataset import load
from tlnb.errors import TlnbError
from tlnb.recipe import Recipe

TABLES = int(os.environ.get('TLNB_FUZZ', 300))
ONE = os.environ.get('TLNB_FUZZ_SEED')

def prepared(d):
    "Columns become finite numbers, for rows that were not seen too"
    prep = d.kind.prepare(d, d.inner(0)[0])
    x_cat, x_cont = prep.encode(d.frame)
    assert len(x_cat) == len(x_cont) == len(d.frame) and np.isfinite(x_cont).all() and (x_cat >= 0).all()
    assert prep.to_dict() == json.loads(json.dumps(prep.to_dict(), allow_nan=False))

BEYOND = [prepared]


def holds(d):
    "What every dataset promises"
    n = len(d.frame)
    assert n == len(d.y) == len(d.ids) == len(d.cluster) == len(d.groups) and np.isfinite(d.y).all() and d.frame.columns.is_unique
    assert not set(d.train.tolist()) & set(d.judged.tolist()) and len(d.train) and len(d.judged)
    assert not set(d.cluster[d.train].tolist()) & set(d.cluster[d.judged].tolist())
    assert len(set(d.y[d.train].tolist())) > 1 and (d.task == 'regression' or set(d.y.tolist()) == set(range(len(d.classes))))
    assert all(c.dtype.kind in 'ifM' or str(c.dtype) == 'str' for _, c in d.frame.items())
    for size in (None, 12):
        fit, valid = d.inner(0, size)
        assert len(fit) and len(set([*fit, *valid])) == len(fit) + len(valid) and not set(d.cluster[fit]) & set(d.cluster[valid])
    a = d.assess()
    json.dumps(a.to_dict(), allow_nan=False)
    assert '<script' not in a._repr_html_() and a.plot() and repr(d) and len(a.to_frame()) == len(a.warnings)
    assert all(w.count > 0 and '\n' not in str(w) for w in a.warnings)

def feed(seed, folder, beyond=()):
    "One table: None if it was refused, by reading or later, else the dataset"
    data, name, options = case(seed)
    (folder/name).write_bytes(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('error', RuntimeWarning) # numbers that came to nothing
            d = load(Recipe.for_tabular(data=name, **options), folder)
            holds(d)
        for stage in beyond: stage(d)
        return d
    except TlnbError as e: assert '\n' not in str(e) and 10 < len(str(e)) < 600, str(e)

def feed_all(seeds, folder):
    "Tables by seed; the first that does what none may do is named"
    for seed in seeds:
        try: feed(seed, folder, BEYOND if seed % 10 == 0 else ())
        except Exception as e: raise AssertionError(f'table {seed} (TLNB_FUZZ_SEED={seed}): {type(e).__name__}: {e}') from e

@pytest.mark.parametrize('start', range(0, TABLES, 50))
def test_mutated_tables(start, tmp_path): feed_all([int(ONE)] if ONE else range(start, min(TABLES, start+50)), tmp_path)

def test_many_are_accepted(tmp_path):
    "A fuzz test that is refused at the door tests the door"
    assert sum(feed(seed, tmp_path) is not None for seed in range(60)) > 15
