"What is done about gaps: chosen on the inner split, told with its cost, part of the run's key only where it is learned"
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tlnb.bias import check_bias
from tlnb.errors import DataError, GateError, RecipeError
from tlnb.recipe import Recipe
from tlnb.store import run_key

warnings.filterwarnings('ignore', "`torch.jit", FutureWarning)
METHODS = 'reweighing', 'resampling', 'penalty', 'drop_proxies', 'thresholds'


def people(n=1600, seed=0):
    "Half of group b is refused what it merits, and a column knows who is in b"
    rng = np.random.default_rng(seed)
    group = rng.choice(['a', 'b'], n)
    merit = rng.normal(size=n)
    paid = merit + 0.9*(group == 'a') + rng.normal(0, 0.6, n) > 0.5
    return pd.DataFrame(dict(merit=merit.round(3), street=np.where(rng.random(n) < 0.9, group, rng.choice(['a', 'b'], n)), noise=rng.normal(size=n).round(3), group=group, paid=np.where(paid, 'yes', 'no')))


@pytest.fixture(scope='module')
def run_of(tmp_path_factory):
    "The run with a mitigation, and its check: trained once"
    from tlnb import adapt, load
    folder, done = tmp_path_factory.mktemp('mitigation'), {}
    people().to_csv(folder/'people.csv', index=False)
    def make(method, **options):
        if method not in done:
            recipe = Recipe.for_tabular(data=str(folder/'people.csv'), target='paid', sensitive=['group'], train_epochs=8, run_seeds=1, run_jobs=1, tabular_layers=[16], bias_mitigation=method,
                bias_criteria=['demographic_parity'], bias_bootstrap=200, data_judged=0.4, bias_limit=0.15, **options)
            run = adapt(load(recipe), folder=folder/method)
            run.train(['simple'])
            done[method] = run, check_bias(run)
        return done[method]
    return make


def gap(info): return next(o for o in info['gaps'] if o['metric'] == 'demographic_parity_difference')['value']


@pytest.mark.parametrize('method', METHODS)
def test_the_gap_gets_smaller_on_judged_rows(run_of, method):
    run, report = run_of(method)
    m = report.info['mitigation']
    assert m['method'] == method and 0 < m['strength'] <= 1 and m['chosen_on'] == 'the inner split'
    assert gap(m['before']) > 0.25 and gap(m['after']) < gap(m['before']) - 0.08 and gap(m['after']) == gap(report.info)
    y, n = run.dataset.y[run.dataset.judged], len(run.dataset.judged)
    assert m['cost']['value'] == pytest.approx(m['before']['accuracy'] - m['after']['accuracy']) and m['cost']['interval'][0] <= m['cost']['value'] <= m['cost']['interval'][1]
    assert m['cost']['value'] < 0.15
    assert any(o['of'] == 'without mitigation' and o['said'] == 'reduced' for o in report.info['context'])
    assert 'it costs' in report._repr_html_() and method.replace('_', ' ') in report._repr_html_()


def test_the_least_strength_that_passes_is_taken(run_of):
    run, report = run_of('reweighing')
    told = run.result('from_scratch', 0)['mitigation']
    assert [o['strength'] for o in told['tried']] == [0.25, 0.5, 1][:len(told['tried'])]
    limit = run.recipe.bias.limit
    assert all(o['gap'] >= limit for o in told['tried'][:-1])
    if told['tried'][-1]['gap'] < limit: assert told['strength'] == told['tried'][-1]['strength']
    assert not list(run.piece('from_scratch', 0).glob('strength-*')) and (run.piece('from_scratch', 0)/'history.json').is_file()
    assert run.result('simple', 0)['mitigation']['method'] == 'reweighing'


def test_the_model_without_it_is_the_model_of_a_run_without_it(run_of):
    plain, _ = run_of('none')
    mended, report = run_of('reweighing')
    from tlnb.remedy import unmitigated
    np.testing.assert_allclose(unmitigated(mended, 'from_scratch', 0), plain.predictions('from_scratch', 0)['judged'], atol=1e-9)
    assert run_of('none')[1].info['mitigation'] is None and report.info['mitigation']


def test_proxies_are_left_out_with_the_column_itself(run_of):
    run, report = run_of('drop_proxies')
    assert report.info['mitigation']['dropped'] == ['group', 'street']
    rows = run.dataset.frame.iloc[:50]
    swapped = rows.assign(group='a', street='a')
    np.testing.assert_allclose(run.fitted().score(rows), run.fitted().score(swapped))


def test_thresholds_are_those_of_the_package(run_of):
    from tlnb.export import model_meta
    from tlnb.dataset import protocol
    from tlnb.light import decided
    run, report = run_of('thresholds')
    fitted = run.fitted()
    meta = model_meta(run, fitted, protocol('exporter', 'tabular'))
    rows = run.dataset.judged
    p = run.predictions(*run.best)['judged']
    said = decided(p, run.dataset.classes, meta['thresholds'], run.dataset.groups['group'].to_numpy()[rows])
    assert report.info['mitigation']['after']['accuracy'] == pytest.approx((said == run.dataset.y[rows]).mean(), abs=1e-12)
    assert meta['thresholds'] == report.info['mitigation']['thresholds'] and meta['thresholds']['groups']['a'] > 0.5 > meta['thresholds']['groups']['b']
    from tlnb.card import card
    assert 'Mitigation: thresholds by group' in str(card(run))


def test_a_run_answers_by_its_thresholds(run_of):
    "As its package and its check do; who does not say the group gets one line, not another answer"
    run, report = run_of('thresholds')
    rows, classes = run.dataset.judged, np.array(run.dataset.classes)
    frame = run.dataset.frame.iloc[rows]
    found = run.predict(frame)
    assert (found.predicted == classes[run.dataset.y[rows]]).mean() == pytest.approx(report.info['mitigation']['after']['accuracy'], abs=1e-12)
    assert (found.predicted != classes[found.iloc[:, 1:].to_numpy().argmax(1)]).any()
    assert run.predict(frame.to_dict('records')).predicted.tolist() == found.predicted.tolist()
    with pytest.raises(DataError, match="depends on a column that is not there: 'group'; give it"): run.predict(frame.drop(columns='group'))
    with pytest.raises(DataError, match="'group' in row 1"): run.predict([dict(merit=1., group='a'), dict(merit=2.)])


def test_whose_thresholds_is_said(run_of):
    run, report = run_of('thresholds')
    assert 'only' not in report.info['mitigation']
    two = replace(run.dataset, groups=run.dataset.groups.assign(street=run.dataset.frame['street'].astype(str)))
    both = type(run)(run.folder, run.recipe, two)
    told = check_bias(both)
    assert 'those of street have none, nor have groups of several columns' in told.info['mitigation']['only'] and 'those of street have none' in told._repr_html_()
    check_bias(run)


def test_who_aims_at_one_gap_is_told_why_another_fails(run_of):
    "Thresholds reach equal selection rates and fail by equalized odds: the message says what decides, and how that is chosen"
    from tlnb.bias import BiasReport, aim_words
    run, report = run_of('thresholds')
    assert report.info['criteria'] == ['demographic_parity'] and aim_words(report.info) == ''
    recipe = run.recipe.with_({'bias.criteria': ['demographic_parity', 'equalized_odds'], 'bias.limit': .1, 'bias.strength': 1.})
    many = check_bias(type(run)(run.folder, recipe, replace(run.dataset, recipe=recipe)))
    info = many.info
    check_bias(run)
    failed = {o['metric'] for o in info['gaps'] if o['verdict'] == 'fail' and o['decides']}
    assert failed == {'equalized_odds_difference'}, {o['metric']: (o['value'], o['verdict']) for o in info['gaps']}
    with pytest.raises(GateError) as e: many.gate()
    assert all(o in str(e.value) for o in ('what decides is demographic parity, equalized odds (bias_criteria)', 'aims at demographic parity', 'bias_criteria=["demographic_parity"]'))
    assert any(aim_words(info) == o and 'What fails is equalized odds' in o for o in info['notes']) and 'exclude one another' in many._repr_html_()
    gone = dict(info, mitigation=None)
    assert aim_words(gone) == '' and 'aims at' not in str(pytest.raises(GateError, BiasReport(gone).gate).value)


def test_only_what_is_learned_makes_another_run():
    key = lambda **o: run_key(Recipe.for_tabular(data='loans', **o).resolve(), 'f', 's')
    assert key() == key(bias_mitigation='thresholds') == key(sensitive=['sex']) == key(bias_limit=0.2)
    one = key(sensitive=['sex'], bias_mitigation='reweighing')
    assert len({key(), one, key(sensitive=['district'], bias_mitigation='reweighing'), key(sensitive=['sex'], bias_mitigation='reweighing', bias_strength=0.5)}) == 4


@pytest.mark.parametrize('change,said', [({'data.sensitive': []}, 'no sensitive column'), ({'bias.mitigation': 'none'}, None)])
def test_what_does_not_apply_is_said(change, said):
    from tlnb import load
    from tlnb.mitigation import strengths
    ds = load(Recipe.for_tabular(data='loans', sensitive=['sex'], bias_mitigation='penalty').with_(change))
    if said is None: assert strengths(ds) == []
    else:
        with pytest.raises(RecipeError, match=said): strengths(ds)
    with pytest.raises(RecipeError, match='needs classes'): strengths(replace(load(Recipe.for_tabular(data='loans', sensitive=['sex'], bias_mitigation='penalty')), task='regression'))


def test_readable_and_proxies_stand_in_the_report(run_of):
    d = run_of('none')[1].info
    assert {o['of'] for o in d['readable']} == {'the model'} and d['readable'][0]['interval'][0] > 0.6
    found = {o['column']: o for o in d['proxies']}
    assert found['street']['proxy'] and not found['noise']['proxy'] and 'group' not in found


def test_a_slice_that_is_failed_is_found_without_a_group(run_of):
    from tlnb.slices import find_slices
    run, _ = run_of('none')
    found = find_slices(run)
    assert {o['slice'].split()[0] for o in found.items} == {'cluster'} and sum(o['n'] for o in found.items) <= len(run.dataset.judged)
    assert found.items[0]['error'] > found.items[0]['rest'] and [o['p'] for o in found.items] == sorted(o['p'] for o in found.items)
    assert set(found.examples) <= {run.dataset.ids[i] for i in run.dataset.judged} and 'elsewhere' in found._repr_html_()
