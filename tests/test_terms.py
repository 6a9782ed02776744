"Terms for somebody in place of others: found and swapped in texts, planted ones named and no others, lists that anybody edits, a mitigation that lowers the gap"
from types import SimpleNamespace as NS

import numpy as np
import pandas as pd
import pytest

from tlnb.bias import check_bias, term_gaps
from tlnb.dataset import Dataset, load, protocol
from tlnb.errors import DataError, GateError, RecipeError
from tlnb.keys import LEARNED
from tlnb.mitigation import strengths
from tlnb.recipe import Recipe
from tlnb.swaps import find_swaps, per_term
from tlnb.text.terms import LISTS, read_terms, swap, swaps
from tlnb.text.tickets import IDENTITY, make_tickets

TERMS = ['Turkish', 'Jewish', 'deaf', 'Polish', 'blind', 'Hindu']

class Folder(dict):
    path = None
    write_json = dict.__setitem__

def a_run(model, texts, y, **bias):
    "What check_bias needs of a run, around any function of texts"
    n = len(texts)
    recipe = Recipe.for_text(data='x.csv', target='y', text='text', **bias).resolve()
    classes = ['no', 'yes']
    ds = Dataset('text', recipe, pd.DataFrame(dict(text=texts)), np.asarray(y), 'classification', classes, pd.DataFrame(index=range(n)), list(range(n)), np.arange(n), np.arange(0), np.arange(n), 'x')
    score = lambda f: np.stack([1 - model(f.text), model(f.text)], 1)
    return NS(dataset=ds, recipe=recipe, best=('fine_tuning', 0), fitted=lambda arm=None, seed=None: NS(score=score, foreign=True), predictions=lambda arm, seed: dict(judged=score(ds.frame)),
        folder=Folder(), source=None, arms=lambda: {})

def texts_of(n, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    return [f'{"Praise" if v else "Blame"} number {i}: I am a {TERMS[rng.integers(len(TERMS))]} customer of {rng.integers(10**6)}.' for i,v in enumerate(y)], y

def plain(texts):
    "Right in most cases, whoever asks; not sure of some"
    import zlib
    noise = np.array([zlib.crc32(o.rsplit('of', 1)[1].encode())/2**32 for o in texts])
    return np.clip(.5 + np.where(texts.str.startswith('Praise'), .3, -.3) + .5*(noise - .5), .01, .99)

def biased(texts): return np.clip(plain(texts) + .35*texts.str.contains('deaf', case=False), .01, .99)

def test_lists_say_where_they_come_from():
    files = sorted(LISTS.glob('*.csv'))
    assert len(files) >= 2
    for f in files: assert {'# source:', '# limits:'} <= {o[:9] for o in f.read_text().splitlines()}
    d = read_terms()
    assert 40 < len(d) < 200 and d.groupby('set').size().min() >= 2 and {'origin', 'religion', 'disability', 'gender', 'orientation', 'age'} <= set(d.kind)
    assert {o for k in ('origin', 'religion', 'disability') for o in IDENTITY[k]} <= set(d.term)

def test_lists_of_ones_own(tmp_path):
    (tmp_path/'mine.csv').write_text('# source: me\nterm,kind,set\nleft-handed,hand,hand\nright-handed,hand,hand\n')
    texts = ['a left-handed guitar']*3
    r = Recipe.for_text(data='x.csv', target='y', text='text', bias_terms=str(tmp_path/'mine.csv')).resolve()
    found = swaps(pd.DataFrame(dict(text=[*texts, 'a right-handed one'])), np.arange(4), r)
    assert found.terms == {'hand': ['left-handed', 'right-handed']} and found.items([0], 'right-handed').text[0] == 'a right-handed guitar'
    for bad,why in (('term,kind\nx,y\n', 'not a list'), ('term,kind,set\n,y,z\n', 'not a list'), ('term,kind,set\nx,y,z\nX,y,z\n', 'twice')):
        (tmp_path/'mine.csv').write_text(bad)
        with pytest.raises(DataError, match=why): read_terms(str(tmp_path/'mine.csv'))
    with pytest.raises(DataError): read_terms(str(tmp_path/'none.csv'))

@pytest.mark.parametrize('text, old, new, right', [('a Turkish man', 'Turkish', 'Indian', 'an Indian man'), ('AN INDIAN MAN', 'Indian', 'Turkish', 'A TURKISH MAN'), ('i am turkish', 'Turkish', 'Hindu', 'i am hindu'),
    ('Deaf people', 'deaf', 'blind', 'Blind people'), ('hard of hearing', 'hard of hearing', 'deaf', 'deaf'), ('deafening', 'deaf', 'blind', 'deafening'), ('Is a deaf cat Deaf?', 'deaf', 'Irish', 'Is an Irish cat Irish?')])
def test_swap(text, old, new, right): assert swap(text, old, new) == right

def test_two_sets_in_one_text_are_drawn_both():
    from tlnb.mitigation import _drawn
    found = swaps(pd.DataFrame(dict(text=['My deaf wife.', 'My blind husband.', 'My cat.'])), np.arange(3), NS(bias=NS(terms='auto')))
    said = list(_drawn(found, 40, np.random.default_rng(0)))
    assert [sum(row == k for row,_ in said) for k in range(3)] == [40, 40, 0] and {t for _,t in said} <= {f'My {a} {b}.' for a in ('deaf', 'blind') for b in ('wife', 'husband')}
    assert all({a in t for row,t in said if row == 0} == {True, False} for a in ('deaf', 'wife'))

def test_texts_with_two_terms_of_a_set_are_left_out():
    f = pd.DataFrame(dict(text=['a deaf Jewish man', 'a deaf man', 'a Jewish man', 'deaf, deaf, deaf', 'nobody']))
    found = swaps(f, np.arange(5), NS(bias=NS(terms='auto')))
    assert found.rows.tolist() == [1, 2, 3] and found.items([2], 'Jewish').text[0] == 'jewish, jewish, jewish' and found.terms == {'person': ['Jewish', 'deaf']}

def test_the_planted_term_and_no_other():
    "In each of ten draws; without the plant none"
    for seed in range(10):
        texts,y = texts_of(240, seed)
        for model,wanted in ((biased, ['deaf']), (plain, [])):
            found = find_swaps(a_run(model, texts, y))
            gaps = term_gaps(found, Recipe.for_text().resolve().bias)
            assert found.failing == wanted and {o['verdict'] for o in gaps} == ({'fail'} if wanted else {'pass'}) and found.info['sets'] == [dict(set='person', n=240, terms=6)]
    assert found.info['flips'] == 0

def test_false_positives_of_a_term():
    "The gap is that of the rows that are none, by counting"
    texts,y = texts_of(400)
    run = a_run(biased, texts, y)
    o = next(o for o in find_swaps(run).info['items'] if (o['term'], o['metric']) == ('deaf', 'term_false_positive_rate') )
    own = [t for t,v in zip(texts, y) if not v][:10**6]
    rate = lambda term: (biased(pd.Series([swap(t, next(k for k in TERMS if k in t), term) for t in own])) > .5).mean()
    assert o['class'] == 'yes' and abs(o['value'] - (rate('deaf') - rate('Polish'))) < .06 and o['n'] < 300

def test_numbers_have_a_shift_only():
    p = np.random.default_rng(0).normal(0, 1, (100, 1, 1)) + np.array([0, 0, 2, 0.])[None, :, None]
    found = per_term(p, None, None, .1)
    assert [o['metric'] for o in found] == ['term_shift']*4 and [round(o['value']) for o in found] == [0, 0, 2, 0] and found[0]['flips'] is None

def test_check_without_groups():
    "Terms alone give a verdict, and the gate stands; where they are turned off nothing is checked"
    texts,y = texts_of(240)
    d = check_bias(a_run(biased, texts, y))
    assert d.verdict == 'fail' and [o['highest'] for o in d.to_dict()['gaps']] == ['deaf', 'deaf'] and 'deaf' in d._repr_html_()
    with pytest.raises(GateError, match='deaf'): d.gate()
    assert check_bias(a_run(plain, texts, y)).verdict == 'pass'
    assert check_bias(a_run(plain, texts[:20], y[:20])).verdict != 'fail'
    off = check_bias(a_run(biased, texts, y, bias_terms='none'))
    assert off.verdict is None and 'terms' not in off.to_dict()

def test_augmentation():
    "Training rows with terms drawn anew, the label kept, every row as often as any other; never a row that is not trained on"
    assert 'counterfactual' in LEARNED
    ds = load(Recipe.for_text(data='tickets_biased', sensitive=[], bias_mitigation='counterfactual'))
    m, = strengths(ds)
    assert m.first == len(ds.frame) and set(m.of) <= set(ds.train) and m.draws == 3
    fit = ds.train[::2]
    rows = m.rows(fit)
    whose = np.where(rows < m.first, rows, m.of[np.maximum(rows - m.first, 0)])
    assert (np.bincount(whose, minlength=m.first)[fit] == 3).all() and len(rows) == 3*len(fit) and set(rows[rows < m.first]).isdisjoint(m.of) and (m.dataset.y[rows] == ds.y[whose]).all()
    def share(d, rows): return (d.y[rows][d.frame.text.iloc[rows].str.contains('turkish', case=False).to_numpy()] == 0).mean()
    assert share(ds, ds.train) == 1 and np.mean([share(m.dataset, m.rows(ds.train)) for seed in range(6) for m in strengths(ds, seed)]) < .55
    with pytest.raises(RecipeError, match='terms'): strengths(load(Recipe.for_tabular(data='loans', bias_mitigation='counterfactual')))

@pytest.fixture
def panel():
    "Of two classes and no column of groups"
    from tlnb.bias_panel import BiasPanel
    texts,y = texts_of(240)
    run = a_run(biased, texts, y)
    run.stopped = False
    return BiasPanel(run, check_bias(run))

def test_the_panel_shows_terms_and_leads_to_their_texts(panel):
    a, = panel.data['attributes']
    assert a['name'] == 'terms (person)' and a['groups'][0]['group'] == 'deaf' and {o['group'] for o in a['groups']} == set(TERMS) and a['thresholds'] == []
    texts,ids = panel.run.dataset.frame.text,[str(o) for o in panel.run.dataset.ids]
    for gap in a['gaps']:
        rate, = gap['rates']
        items = {o['term']: o for o in panel.report.info['terms']['items'] if o['metric'] == rate['rate']}
        assert gap['question'] and gap['formula'] and rate['values'] == [[items[o['group']]['value'], *items[o['group']]['interval']] for o in a['groups']] and 'fail' in rate['notes'][0] and all(rate['counts'])
    for g in a['groups']:
        panel.hear(dict(do='rows', attribute=a['name'], group=g['group'], kind='term', page=0))
        mine = texts.str.contains(g['group'], case=False)
        assert panel.found['total'] == min(mine.sum(), 50) == g['n'] and len(panel.found['items']) == 10 and all(mine.iloc[ids.index(o['id'])] for o in panel.found['items'])
    panel.hear(dict(do='rows', attribute=a['name'], group='nobody', kind='term'))
    assert panel.status.startswith('Not possible')

def test_texts_that_a_term_moves_most_come_first():
    texts,y = texts_of(240)
    run = a_run(lambda t: np.clip(.3 + .4*(t.str.contains('deaf') & t.str.contains('Praise')), 0, 1), texts, y)
    said = find_swaps(run).info['examples']['deaf']
    praise = ['Praise' in texts[int(o)] for o in said]
    assert praise == sorted(praise, reverse=True) and 0 < sum(praise) < len(praise)

def test_another_list_is_another_check(panel, tmp_path):
    "What is on disk is shown only where the recipe asks for the same"
    from tlnb.bias_panel import _fits
    info,run = panel.report.info,panel.run
    assert _fits(info, run, [])
    for change in (dict(bias_terms=str(tmp_path)), dict(bias_terms='none'), dict(bias_limit=.3), dict(bias_mitigation='counterfactual')):
        r = Recipe.for_text(data='x.csv', target='y', text='text', **change).resolve()
        assert not _fits(info, NS(recipe=r, best=run.best, dataset=run.dataset), []), change
