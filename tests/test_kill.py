"Killed with SIGKILL at random moments, a training is resumed and ends where an unbroken one ends. 5 times here, 100 times in `make bench`."
import json, os, subprocess, sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork')

@pytest.mark.parametrize('worker', ['fit_tabular', 'adapt_loans', 'adapt_parts'])
def test_killed_and_resumed(worker):
    script = Path(__file__).resolve().parent/'bench'/'kill.py'
    p = subprocess.run([sys.executable, str(script), worker, '--kills', '5', '--json'], capture_output=True, text=True)
    assert p.returncode == 0, p.stdout + p.stderr
    figures = json.loads(p.stdout)
    assert figures['kills'] == 5 and figures['same_splits'] and figures['max_difference'] <= 1e-6
