"The gate end to end: `tlnb run` exits 1 on a gap, and 0 with a written reason that report and card then show"
import json

import numpy as np
import pandas as pd

FAST = [o for k, v in {'train.epochs': 3, 'run.seeds': 1, 'run.jobs': 1, 'transfer.labels_needed': 'false', 'transfer.baselines': 'majority', 'explain.items': 1, 'explain.evaluations': 30,
    'explain.background': 5, 'tabular.layers': 8, 'bias.bootstrap': 100}.items() for o in ('--set', f'{k}={v}')]


def test_a_gap_stops_the_run_until_somebody_signs(tlnb, tmp_path):
    rng = np.random.default_rng(0)
    group, merit = rng.choice(['a', 'b'], 800), rng.normal(size=800)
    pd.DataFrame(dict(merit=merit.round(3), group=group, paid=np.where(merit + 2*(group == 'a') > 1, 'yes', 'no'))).to_csv(tmp_path/'people.csv', index=False)
    first = tlnb('run', 'tabular', '--data', 'people.csv', '--target', 'paid', '--sensitive', 'group', '--offline', '--out', 'out', *FAST, cwd=tmp_path)
    assert first.returncode == 1, first.stderr
    assert 'the bias check failed' in first.stderr and 'by group is' in first.stderr and 'Traceback' not in first.stderr
    b = json.loads((tmp_path/'out'/'report.json').read_text())['bias']
    assert b['verdict'] == 'fail' and not b['gate']['reason']
    why = 'agreed with the works council on 3 May'
    again = tlnb('run', 'tabular', '--data', 'people.csv', '--target', 'paid', '--sensitive', 'group', '--offline', '--out', 'out', '--resume', *FAST, '--set', f'bias.reason={why}', cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    r = json.loads((tmp_path/'out'/'report.json').read_text())['bias']
    assert r['verdict'] == 'fail' and r['gate']['reason'] == why
    assert why in (tmp_path/'out'/'report.html').read_text() and why in (tmp_path/'out'/'run'/'card.md').read_text() and why in again.stderr + again.stdout
