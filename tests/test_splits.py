"Splits hold what they promise on every draw: whole clusters, each class on both sides, the asked share, the same for the same seed"
import numpy as np
import pytest

from tlnb.splits import clusters, order, split


def draws(n=60):
    "Random classes, clusters and shares"
    for seed in range(n):
        rng = np.random.default_rng(seed)
        rows, k = int(rng.integers(12, 400)), int(rng.integers(2, 7))
        y = rng.choice(k, rows, p=rng.dirichlet(np.ones(k)))
        cluster = [np.arange(rows), rng.integers(0, rows, rows), rng.integers(0, max(3, rows//10), rows)][seed % 3]
        yield seed, y, cluster, float(rng.uniform(.1, .5))


def test_clusters_stay_whole_and_nothing_is_lost():
    for seed, y, cluster, share in draws():
        train, judged = split(y, share, seed, cluster=cluster)
        assert not set(cluster[train]) & set(cluster[judged])
        assert sorted([*train, *judged]) == list(range(len(y)))

def test_same_seed_same_split():
    for seed, y, cluster, share in draws(9):
        a, b = split(y, share, seed, cluster=cluster), split(y, share, seed, cluster=cluster)
        assert all((i == j).all() for i, j in zip(a, b))
    y = np.arange(200) % 2
    assert len({tuple(split(y, .25, seed)[1]) for seed in range(20)}) == 20

def test_exact_share_without_clusters():
    for seed, y, _, share in draws():
        if np.bincount(y)[np.unique(y)].min()*share < 1: continue
        judged = split(y, share, seed)[1]
        assert len(judged) == round(share*len(y))
        for c in set(y): assert abs((y[judged] == c).sum() - share*(y == c).sum()) < 1

def test_share_within_reach_with_clusters():
    for seed, y, cluster, share in draws():
        judged = split(y, share, seed, cluster=cluster)[1]
        assert abs(len(judged) - share*len(y)) <= np.bincount(cluster).max() + len(set(y))

def test_each_class_on_both_sides_where_it_can_be():
    for seed, y, cluster, share in draws(150):
        if seed % 3 == 2: continue # few large clusters: one class may have to give way to another
        train, judged = split(y, share, seed, cluster=cluster)
        for c in set(y):
            if len(set(cluster[y == c])) > 1: assert (y[train] == c).any() and (y[judged] == c).any(), (seed, c)
            else: assert (y[train] == c).any() or len(set(y[cluster == cluster[y == c][0]])) > 1

def test_numbers_are_spread():
    y = np.random.default_rng(0).lognormal(size=400)
    train, judged = split(y, .25, 0, 'regression')
    assert abs(np.log(y[train]).mean() - np.log(y[judged]).mean()) < .1

@pytest.mark.parametrize('y', [[], [0], [0, 0], [0, 1], [0]*5 + [1]])
def test_tiny(y):
    train, judged = split(np.array(y, int), .25, 0)
    assert len(train) + len(judged) == len(y)
    if y: assert set(y) == set(np.array(y)[train])

def test_chains_are_one_cluster():
    assert clusters(4, ['a', 'a', 'b', 'c'], ['x', 'y', 'y', None]).tolist() == [0, 0, 0, 1]
    assert clusters(3, [None, None, float('nan')]).tolist() == [0, 1, 2]
    assert clusters(0).tolist() == []

def test_clusters_as_connected_components():
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    for seed in range(20):
        rng = np.random.default_rng(seed)
        a, b = rng.integers(0, 80, 100), rng.integers(0, 80, 100)
        graph = coo_array((np.ones(200), (np.r_[np.arange(100), np.arange(100)], np.r_[100+a, 200+b])), shape=(300, 300))
        truth, got = connected_components(graph, directed=False)[1][:100], clusters(100, a, b)
        assert (np.equal.outer(truth, truth) == np.equal.outer(got, got)).all()

def test_every_beginning_of_an_order_is_stratified():
    for seed, y, _, _ in draws(20):
        o = order(y, seed)
        assert sorted(o) == list(range(len(y)))
        k = len(set(y))
        assert set(y[o[:k]]) == set(y)
        for n in (len(y)//3, len(y)//2):
            for c in set(y): assert abs((y[o[:n]] == c).sum() - n*(y == c).mean()) <= k
