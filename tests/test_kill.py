"Killed with SIGKILL at random moments, a training is resumed and ends where an unbroken one ends. 5 times here, 100 times in `make bench`."
import json, os, subprocess, sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork')

@pytest.mark.parametrize('worker', ['fit_tabular', 'fit_vision'])
def test_killed_and_resumed(worker):
    tests = Path(__file__).resolve().parent
    p = subprocess.run([sys.executable, '-W', 'ignore', str(tests/'killing.py'), worker, '--kills', '5'], capture_output=True, text=True, timeout=600,
                       env={**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(tests.parent)})
    assert p.returncode == 0, p.stdout + p.stderr
    figures = json.loads(p.stdout.splitlines()[-1])
    assert figures['kills'] == 5 and figures['max_difference'] <= 1e-6 and figures['same_splits']
