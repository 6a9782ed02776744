"A table that was accepted goes all the way to a report: never anything but one clear line."
import json

import pytest
from test_fuzz import feed

from tlnb.adapt import adapt
from tlnb.bias import check_bias
from tlnb.evaluate import evaluate
from tlnb.explain import explain
from tlnb.report import report

CHEAP = {'run.seeds': 1, 'run.jobs': 1, 'train.epochs': 2, 'tabular.layers': [4], 'explain.items': 2, 'explain.evaluations': 20, 'explain.background': 5,
    'bias.bootstrap': 20, 'transfer.labels_needed': False}


def judged(folder):
    def go(d):
        run = adapt(d, d.recipe.with_(CHEAP), folder=folder/'run', fresh=True)
        evaluate(run)
        explain(run)
        check_bias(run)
        report(run)
        json.loads((folder/'run'/'report.json').read_text())
        assert len(run.predict(d.frame.head(3))) == 3
    return go


@pytest.mark.parametrize('start', range(0, 300, 60))
def test_mutated_tables(start, tmp_path):
    for seed in range(start, start + 60, 10):
        try: feed(seed, tmp_path, [judged(tmp_path)])
        except Exception as e: raise AssertionError(f'table {seed}: {type(e).__name__}: {e}') from e
