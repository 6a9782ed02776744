"Killed with SIGKILL at random moments, a training is resumed and ends where an unbroken one ends. 5 times here, 100 times in `make bench`."
import json, os, subprocess, sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork')

def kill(worker, kills):
    "Figures of `tests/bench/kill.py`"
    script = Path(__file__).resolve().parent/'bench'/'kill.py'
    p = subprocess.run([sys.executable, str(script), worker, '--kills', str(kills), '--json'], capture_output=True, text=True)
    assert p.returncode == 0, p.stdout + p.stderr
    figures = json.loads(p.stdout)
    assert figures['kills'] == kills and figures['same_splits'] and figures['max_difference'] <= 1e-6
    print(p.stdout)

@pytest.mark.parametrize('worker', ['fit_tabular', 'adapt_loans'])
def test_killed_and_resumed(worker): kill(worker, 5)

@pytest.mark.bench
@pytest.mark.timeout(7200)
@pytest.mark.parametrize('worker,kills', [('fit_tabular', 100), ('fit_vision', 100), ('adapt_loans', 100), ('adapt_loans_parallel', 10)])
def test_killed_a_hundred_times(worker, kills): kill(worker, kills)
