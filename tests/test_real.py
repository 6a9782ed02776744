"Real tables from end to end; skipped where TLNB_TEST_DATA is not set"
import json

import pytest
from jsonschema import Draft202012Validator

from conftest import ROOT

ADULT = ('age workclass fnlwgt education education_num marital_status occupation relationship race sex capital_gain capital_loss hours_per_week '
    'native_country income').split()
HEART = dict(target='X14', data_missing=['-9'], data_positive='X14 > 0', metric='balanced_accuracy', run_seeds=2, run_jobs=1, train_epochs=20,
    transfer_labels_needed=False)


def test_adult(tlnb, data_dir, tmp_path):
    out = tmp_path/'out'
    done = tlnb('run', 'tabular', '--data', data_dir/'tabular'/'adult.train', '--target', 'income', '--out', out, '--json', '--set', 'data.header=none',
        'data.columns=' + ','.join(ADULT), 'run.seeds=1', 'explain.items=2', 'explain.evaluations=100')
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    Draft202012Validator(json.loads((ROOT/'tlnb'/'report.schema.json').read_text())).validate(report)
    assert report['transfer']['verdict'] == 'not_applicable' and 'source' in report['transfer']['reason']
    members = report['arms']['simple']['members']
    assert members['logistic_regression']['accuracy'] == pytest.approx(.85, abs=.015)
    assert members['gradient_boosting']['accuracy'] > members['logistic_regression']['accuracy']
    assert report['arms']['from_scratch']['value'] == pytest.approx(.85, abs=.015)


@pytest.mark.parametrize('source, target', [('cleveland', 'hungarian'), ('hungarian', 'switzerland')])
def test_heart(data_dir, tmp_path, source, target):
    "A hospital's table as the source of another's: measured, whichever way it goes"
    from tlnb import Recipe, adapt, evaluate, load
    table = lambda name: str(data_dir/'tabular'/'heart'/f'processed.{name}.data')
    run = adapt(load(Recipe.for_tabular(data=table(target), source_data=table(source), **HEART)), folder=tmp_path/'run')
    found = evaluate(run).to_dict()
    assert {'source_unchanged', 'domain_adaptation', 'feature_extraction', 'fine_tuning', 'simple', 'from_scratch', 'majority'} == found['arms'].keys()
    assert found['transfer']['verdict'] in ('helped', 'no_difference', 'hurt')
    assert found['arms']['source_unchanged']['metrics']['roc_auc'] > .75
    assert run.result('fine_tuning', 0)['carried']['share'] > .9
