"Transfer that is planted is found, and none is found where there is none: 20 seeds here, 200 in `make bench`"
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent/'bench'))
import generator  # noqa: E402

SMALL = dict(n_source=3000, n_train=160, n_judged=800)
SEEDS = dict(strong=8, none=8, conflict=4)


@pytest.fixture(scope='module')
def results(tmp_path_factory):
    tasks = [(small, s, i) for s, n in SEEDS.items() for i in range(n)]
    return generator.run_all(tasks, 1, tmp_path_factory.mktemp('generator')/'kept.jsonl')


def small(scenario, seed):
    return generator.study(scenario, seed, SMALL, train_epochs=12, run_seeds=2, strategy='fine_tuning', transfer_baselines=['simple'])


def test_smoke(results):
    assert len(results) == sum(SEEDS.values())
    verdicts = {s: [o['verdict'] for o in results if o['scenario'] == s] for s in SEEDS}
    assert verdicts['strong'].count('helped') >= 6 and 'hurt' not in verdicts['strong'], verdicts
    assert 'helped' not in verdicts['none'] + verdicts['conflict'], verdicts


def test_bounds():
    "Against the textbook: 0 of 200 is at most 1.83 %, 195 of 200 is at least 94.3 %"
    assert generator.bounds(0, 200) == (0, pytest.approx(.0183, abs=1e-3))
    assert generator.bounds(195, 200)[0] == pytest.approx(.9426, abs=1e-3) and generator.bounds(5, 5)[1] == 1


@pytest.mark.bench
@pytest.mark.timeout(0)
def test_two_hundred_seeds(tmp_path):
    results = generator.run_all([(generator.study, s, i) for i in range(200) for s in generator.SCENARIOS], 2, tmp_path/'kept.jsonl')
    found = generator.shares(results)
    print(found)
    assert found['strong']['helped'][0] >= .95 and found['none']['helped'][2] <= .05 and found['conflict']['hurt'][0] > .25


@pytest.mark.bench
@pytest.mark.timeout(0)
def test_labels_needed(tmp_path):
    _, found = generator.covered(generator.run_all([(generator.labels_study, 'labels', i) for i in range(40)], 2, tmp_path/'kept.jsonl'))
    print(found)
    for side in found.values(): assert side['bounds'][1] >= .95, found
