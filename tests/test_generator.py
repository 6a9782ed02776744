"Transfer that is planted is found, and none is found where there is none: 20 seeds here, 200 in `make bench`"
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent/'bench'))
import generator  # noqa: E402

SMALL = dict(n_source=2500, n_train=160, n_judged=800)


def small(scenario, seed):
    return generator.study(scenario, seed, SMALL, train_epochs=12, run_seeds=2, strategy='fine_tuning', transfer_baselines=['simple'])


@pytest.mark.parametrize('scenario,seeds', [('strong', 8), ('none', 8), ('conflict', 4)])
def test_smoke(tmp_path, scenario, seeds):
    verdicts = [o['verdict'] for o in generator.run_all([(small, scenario, i) for i in range(seeds)], 1, tmp_path/'kept.jsonl')]
    if scenario == 'strong': assert verdicts.count('helped') >= 6 and 'hurt' not in verdicts, verdicts
    else: assert 'helped' not in verdicts, verdicts
    if scenario == 'conflict': assert 'hurt' in verdicts, verdicts


def test_bounds():
    "Against the textbook: 0 of 200 is at most 1.83 %, 195 of 200 is at least 94.3 %"
    assert generator.bounds(0, 200) == (0, pytest.approx(.0183, abs=1e-3))
    assert generator.bounds(195, 200)[0] == pytest.approx(.9426, abs=1e-3) and generator.bounds(5, 5)[1] == 1
