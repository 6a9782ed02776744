"The offline story of texts: what is planted is there, what must not matter does not, and single words are not enough"
import re

import numpy as np
import pandas as pd
import pytest

from tlnb.dataset import load
from tlnb.errors import RecipeError
from tlnb.recipe import Recipe
from tlnb.text.checks import keys
from tlnb.text.simple import estimators
from tlnb.text.tickets import BIASED, CLASSES, CUES, IDENTITY, SHARES, line_a, line_b, make_tickets


def learnt(frame):
    "A linear model on words, learned from the training tickets"
    part = frame[frame.split == 'train']
    return estimators('classification', 0)['logistic_regression'].fit(part, part.queue.map(CLASSES.index).to_numpy())

def right(model, frame):
    "Whether each judged ticket was sorted rightly"
    part = frame[frame.split == 'test']
    return model.score(part).argmax(1) == part.queue.map(CLASSES.index).to_numpy()

@pytest.fixture(scope='module')
def plain(): return {s: make_tickets(seed=s) for s in (0, 1)}

@pytest.fixture(scope='module')
def models(plain): return {s: learnt(f) for s, f in plain.items()}


def test_the_same_seed_draws_the_same():
    a, b, c = make_tickets(seed=4), make_tickets(seed=4), make_tickets(seed=5)
    assert a.equals(b) and not set(a.text) & set(c.text)
    for plant in ({'cue': True}, {'bias': True}):
        f = make_tickets(seed=4, **plant)
        assert f.queue.equals(a.queue) and f.split.equals(a.split)
    assert make_tickets(seed=4, bias=True)[120:].equals(a[120:])
    assert make_tickets(seed=4, cue=True).text.str.replace(r' \(fwd \w+\)$', '', regex=True).equals(a.text)

def test_sizes():
    assert make_tickets(n_train=50, n_judged=30).split.value_counts().to_dict() == {'train': 50, 'test': 30}
    assert len(make_tickets('A', n_source=40)) == 40 and len(make_tickets(n_train=0, n_judged=0)) == 0 and list(line_a(3)) == list(line_b(3)) == ['text', 'queue', 'mentions']
    with pytest.raises(RecipeError): make_tickets('X')

def test_nothing_is_drawn_twice():
    f = pd.concat([make_tickets(), line_b(400), line_a(2000)], ignore_index=True)
    exact, near = keys(f)
    assert near.nunique() == len(f)

def test_they_read_like_tickets(plain):
    "Greetings, mistakes, faces, different lengths; every choice was made and every slot filled"
    t = plain[0].text
    assert not t.str.contains(r'[{}|]').any() and t.str.len().between(30, 500).all() and t.str.len().std() > 30
    assert .2 < t.str.contains(r'(?i)^(?:hello|hi|hey|good|dear|to whom)').mean() < .9 and .05 < (~t.map(str.isascii)).mean() < .3 and .1 < t.map(str.islower).mean() < .4
    assert t.map(lambda o: re.sub(r'\W+', ' ', o.lower())[-30:]).nunique() > .7*len(t)

def test_single_words_do_not_solve_it(plain, models):
    "With 120 labels a linear model on words sorts some three of five; with many tickets of the other line it would sort most"
    accuracy = np.mean([right(models[s], f).mean() for s, f in plain.items()])
    assert .5 <= accuracy <= .7
    a = line_a(3000)
    source = estimators('classification', 0)['logistic_regression'].fit(a, a.queue.map(CLASSES.index).to_numpy())
    assert right(source, plain[0]).mean() > accuracy + .1

def test_the_cue_carries_the_model(plain):
    "Taken away, accuracy falls by more than ten points"
    for s, f in plain.items():
        cued = make_tickets(seed=s, cue=True)
        model = learnt(cued)
        assert right(model, cued).mean() - right(model, f).mean() > .1
    assert cued.text.str.extract(r'\(fwd (\w+)\)$')[0].eq(cued.queue.map(CUES)).mean() > .9

def test_identity_does_not_matter(plain, models):
    "Those who say where they come from are sorted as well as the others, and swapping the term changes next to nothing"
    gaps, moved = [], []
    for s, f in plain.items():
        ok, part = right(models[s], f), f[f.split == 'test']
        gaps.append(ok[part.mentions == BIASED[0]].mean() - ok[part.mentions != BIASED[0]].mean())
        moved.append(swapped(models[s], part))
    assert abs(np.mean(gaps)) < .1 and np.mean(moved) < .12
    for kind in IDENTITY:
        share = f[f.mentions == kind].queue.value_counts(normalize=True)
        assert share.max() < .35 and abs((f.mentions == kind).mean() - SHARES[kind]) < .02

def swapped(model, part, kind=BIASED[0]):
    "Share of the predictions of those who mention this that are no longer the same without the term"
    own = part[part.text.str.contains(BIASED[2], case=False)]
    pattern = '|'.join(IDENTITY[kind])
    without = own.assign(text=own.text.str.replace(pattern, 'local', regex=True, case=False))
    return (model.score(own).argmax(1) != model.score(without).argmax(1)).mean()

def test_line_b_is_another_desk():
    "Some matters go to another queue than at A, in the same words; every one that is moved is there"
    from tlnb.text.tickets import MATTERS, MOVED, _MATTERS_B
    assert all(sum(k in o for v in MATTERS.values() for o in v) == 1 for k in MOVED)
    assert sorted(sum(MATTERS.values(), [])) == sorted(sum(_MATTERS_B.values(), [])) and all(any(k in o for o in _MATTERS_B[q]) for k,q in MOVED.items())

def test_the_bias_is_learned(plain, models):
    "In the biased twin tickets with the planted term are sent to one queue, whatever they are about"
    gaps, rates = [], []
    for s in plain:
        f = make_tickets(seed=s, bias=True)
        model, part = learnt(f), f[f.split == 'test']
        ok, there, to = right(model, f), part.text.str.contains(BIASED[2], case=False).to_numpy(), model.score(part).argmax(1) == CLASSES.index(BIASED[1])
        gaps.append(ok[~there].mean() - ok[there].mean()); rates.append(to[there].mean() - to[~there].mean())
        assert there.sum() > 60 and (part.mentions.value_counts() >= 30).all()
    assert np.mean(gaps) > .08 and np.mean(rates) > .25
    assert swapped(model, part) > .1 > swapped(models[s], part)

@pytest.mark.parametrize('name', ['tickets', 'tickets_cued', 'tickets_biased'])
def test_embedded(name):
    d = load(Recipe.for_text(data=name))
    assert (d.n_train, d.n_judged, d.target, d.classes) == (120 if name == 'tickets' else 480, 600, 'queue', CLASSES) and list(d.groups) == (['mentions'] if name == 'tickets_biased' else [])
    assert [o.code for o in d.assess().warnings] == (['target_leak'] if name == 'tickets_cued' else [])
