"Tables as nobody should write them: each seed draws a table, ruins it in a few ways, and says how it is to be read"
import io

import numpy as np
import pandas as pd

CELLS = ['', ' ', 'NA', '?', 'inf', '-inf', '1e999', '-1e308', '1e-320', '-0', 'nan', '1_000', '1,5', '0x1F', '٣', '😀', '\ufeff', 'a"b',
    "o'hara", '=1+1', 'x'*5000, 'True', 'false', 'null',
    '2024-02-30', '2024-01-31', '99999999999999999999', '12:30', '<b>', '\\n', '{}', '[1]', '-9', 'Köln', '\u202e', '00012', '1.0', '1',
    '+', '.', '-', 'None', '𝔘', 'é', 'e\u0301']

NAMES = ['', 'target', 'a b', 'Ä', 'x,y', '"q"', '1', '\n', 'p'*300]


def table(rng):
    "A table with nothing wrong"
    n = int(rng.choice([0, 9, 12, 40, 40, 40, 80, 80, 80, 120, 120, 120]))
    kinds = {'whole': lambda: rng.integers(0, 100, n), 'number': lambda: rng.normal(size=n),
        'word': lambda: rng.choice(['red', 'green', 'blue'], n), 'flag': lambda: rng.choice([True, False], n),
        'date': lambda: (pd.Timestamp('2020-01-01') + pd.to_timedelta(rng.integers(0, 999, n), 'D')).strftime('%Y-%m-%d'),
        'ref': lambda: [f'R{i}' for i in range(n)],
        'text': lambda: [' '.join(rng.choice(['so', 'it, goes', '"on"', 'and\non'], 3)) for _ in range(n)], 'one': lambda: ['same']*n,
        'none': lambda: [None]*n}
    columns = {f'{k}{i}': kinds[k]() for i, k in enumerate(rng.choice(list(kinds), rng.integers(1, 8)))}
    target = rng.choice(['yes', 'no'], n) if rng.random() < .6 else [lambda: rng.normal(size=n), lambda: rng.integers(0, 4, n),
        lambda: rng.choice(list('abcdefghij'), n), lambda: ['yes']*n][rng.integers(4)]()
    return pd.DataFrame({**columns, 'target': target, 'part': rng.choice(['train', 'train', 'test', 'valid'], n)})

def ruin(t, rng):
    "Cells, columns and rows made strange"
    t = t.astype(object)
    for _ in range(rng.integers(0, 5)):
        if not t.size: return t
        c, r = int(rng.integers(t.shape[1])), int(rng.integers(len(t)))
        match rng.integers(8):
            case 0: t.iloc[r, c] = rng.choice(CELLS)
            case 1: t.iloc[rng.integers(0, len(t), 5), c] = rng.choice(CELLS)
            case 2: t.iloc[:, c] = rng.choice(CELLS, len(t))
            case 3: t = pd.concat([t, t.iloc[rng.integers(0, len(t), 6)]], ignore_index=True)
            case 4: t.columns = [rng.choice(NAMES) if i == c else o for i, o in enumerate(t.columns)]
            case 5: t.iloc[:, c] = None
            case 6: t = t.sample(frac=1, random_state=int(rng.integers(99)))
            case 7: t.iloc[:, c] = t.iloc[:, int(rng.integers(t.shape[1]))].to_numpy()
    return t

def written(t, rng):
    "Bytes and name of a file"
    kind = rng.choice(['csv', 'csv', 'csv', 'tsv', 'txt', 'jsonl', 'json', 'parquet'])
    if kind == 'parquet':
        try: return t.astype(str).to_parquet(), 'data.parquet'
        except ValueError: kind = 'csv' # doubled names
    if kind in ('jsonl', 'json'):
        try: return t.to_json(orient='records', lines=kind == 'jsonl', force_ascii=bool(rng.integers(2))).encode(), f'data.{kind}'
        except ValueError: kind = 'csv'
    text = t.to_csv(index=bool(rng.random() < .1), header=bool(rng.random() < .9),
        sep='\t' if kind == 'tsv' else rng.choice([',', ',', ';', '|']),
        lineterminator=rng.choice(['\n', '\n', '\r\n', '\r']), decimal=rng.choice(['.', '.', ',']))
    return text.encode(rng.choice(['utf-8', 'utf-8', 'utf-8-sig', 'utf-16', 'latin-1', 'utf-16-le']), 'replace'), f'data.{kind}'

def damage(data, rng):
    "Bytes lost, doubled, changed, moved"
    b = bytearray(data)
    for _ in range(int(rng.choice([0, 0, 0, 0, 0, 0, 0, 1, 2, 6]))):
        if not b: break
        i, n = int(rng.integers(len(b))), int(rng.integers(1, 40))
        match rng.integers(7):
            case 0: del b[i:i+n]
            case 1: b[i:i] = b[i:i+n]
            case 2: b[i] = int(rng.integers(256))
            case 3: b[i:i] = bytes(rng.integers(0, 256, 3, dtype=np.uint8))
            case 4: b[i:i] = [b'"', b',', b'\n', b';', b'\r', b'\0', b'\xff', b'{', b'\t', b"'"][rng.integers(10)]
            case 5: del b[i:]
            case 6: b = b[i:] + b[:i]
    return bytes(b)

def options(t, rng):
    "A recipe that mostly fits"
    names = [str(o) for o in t.columns if str(o).strip()] + ['nowhere']*int(rng.random() < .1)
    some = lambda: [str(o) for o in rng.choice(names, rng.integers(1, 3))]
    wild = dict(data_header=lambda: str(rng.choice(['none', 'first'])), data_missing=lambda: ['-9', 'red'], data_split=lambda: 'part',
        data_group=lambda: some()[0], data_drop=some, data_keep=some, sensitive=some,
        data_task=lambda: str(rng.choice(['classification', 'regression'])),
        data_positive=lambda: f"target {rng.choice(['==', '>', '!=', 'in'])} {rng.choice(['yes', '0', '1, 2', 'a'])}",
        data_columns=lambda: [f'n{i}' for i in range(t.shape[1])], data_judged=lambda: .5, data_inner=lambda: .5,
        seed=lambda: int(rng.integers(99)))
    chosen = {k: wild[k]() for k in rng.choice(list(wild), int(rng.choice([0, 0, 1, 1, 2, 3])), replace=False)}
    return {'target': 'target' if rng.random() < .85 else some()[0], **chosen}

def case(seed):
    "Content of a file, its name, and options of a tabular recipe"
    rng = np.random.default_rng(seed)
    t = ruin(table(rng), rng)
    data, name = written(t, rng)
    return damage(data, rng), name, options(t, rng)
