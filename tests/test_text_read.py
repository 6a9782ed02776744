"Texts out of tables, folders, files and zips: the same data in whatever way it comes; copies kept off the judged rows; what gives the class away is found"
import json, subprocess, sys, time, zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tlnb.choices import Choice, choices_path, write_choices
from tlnb.dataset import load
from tlnb.errors import DataError, RecipeError, TlnbError
from tlnb.recipe import Recipe
from tlnb.text.checks import keys
from tlnb.text.cleaning import clean
from tlnb.text.read import read, read_unlabelled
from tlnb.text.show import show
from tlnb.text.tickets import line_b, make_tickets


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch): monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))

def reading(path, **options): return read(Recipe.for_text(data=str(path), **options).resolve())

def refused(path, *parts, kind=TlnbError, **options):
    with pytest.raises(kind) as e: reading(path, **options)
    assert '\n' not in str(e.value) and len(str(e.value)) < 500
    for o in parts: assert o in str(e.value), str(e.value)

@pytest.fixture(scope='module')
def tickets():
    "60 tickets: text, queue, mentions"
    return line_b(60, seed=5)

def put(folder, names, texts):
    for name, text in zip(names, texts):
        (folder/name).parent.mkdir(parents=True, exist_ok=True)
        (folder/name).write_bytes(text if isinstance(text, bytes) else text.encode())

def as_folder(frame, folder, inside='{label}/{i:03}.txt'):
    put(folder, [inside.format(label=q, i=i, side=('train', 'test')[i % 3 == 0]) for i, q in enumerate(frame.queue)], frame.text)
    return folder

def zipped(folder, path):
    with zipfile.ZipFile(path, 'w') as zf:
        for o in sorted(folder.rglob('*')):
            if o.is_file(): zf.write(o, o.relative_to(folder))
    return path

def pairs(r): return sorted(zip(r.frame.text, r.target))


# ---- the same in whatever way it comes
WAYS = dict(
    csv=lambda f, p: f.to_csv(p/'a.csv', index=False) or p/'a.csv',
    tsv=lambda f, p: f.to_csv(p/'a.tsv', index=False, sep='\t') or p/'a.tsv',
    semicolons=lambda f, p: f.to_csv(p/'a.csv', index=False, sep=';') or p/'a.csv',
    latin=lambda f, p: (p/'a.csv').write_bytes(f.to_csv(index=False).encode('cp1252', 'ignore')) and p/'a.csv',
    wide=lambda f, p: (p/'a.csv').write_bytes(f.to_csv(index=False).encode('utf-16')) and p/'a.csv',
    jsonl=lambda f, p: f.to_json(p/'a.jsonl', orient='records', lines=True) or p/'a.jsonl',
    json=lambda f, p: f.to_json(p/'a.json', orient='records') or p/'a.json',
    parquet=lambda f, p: f.to_parquet(p/'a.parquet') or p/'a.parquet',
    folder=lambda f, p: as_folder(f, p/'x'),
    zip=lambda f, p: zipped(as_folder(f, p/'x'), p/'a.zip'),
    nested_zip=lambda f, p: zipped(as_folder(f, p/'x', 'all/{label}/{i:03}.txt'), p/'a.zip'),
    newsgroups=lambda f, p: as_folder(f, p/'x', '{label}/{i}'),
    table_in_folder=lambda f, p: ((p/'x').mkdir(), f.to_csv(p/'x'/'t.csv', index=False), (p/'x'/'README.md').write_text('about'), p/'x')[-1],
    lines=lambda f, p: put(p, [f'inbox.{q}' for q in sorted(set(f.queue))], ['\n'.join(f.text[f.queue == q]) for q in sorted(set(f.queue))]) or p/'inbox',
    lines_in_folder=lambda f, p: put(p/'x', [f'q_{q}.txt' for q in sorted(set(f.queue))], ['\n\n'.join(f.text[f.queue == q]) + '\n' for q in sorted(set(f.queue))]) or p/'x',
    begun=lambda f, p: (p/'a.txt').write_text('\n'.join(f'__label__{q} {t}' for t, q in zip(f.text, f.queue))) and p/'a.txt')

@pytest.mark.parametrize('way', WAYS)
def test_every_way(tmp_path, tickets, way):
    f = tickets.assign(text=[o.encode('ascii', 'ignore').decode().strip() for o in tickets.text])[['text', 'queue']]
    r = reading(WAYS[way](f, tmp_path))
    assert pairs(r) == sorted(zip(map(clean, f.text), f.queue)) and len(set(r.ids)) == 60 and r.found['texts'] == 60 and r.split is None
    assert list(r.frame) == ['text'] and len(r.sha256) == 64

@pytest.mark.parametrize('inside', ['{side}/{label}/{i}.txt', '{label}/{side}/{i}.txt', 'all/{side}/{label}/{i}.txt'])
def test_sides_of_folders(tmp_path, tickets, inside):
    r = reading(as_folder(tickets, tmp_path/'x', inside))
    assert r.split.value_counts().to_dict() == {'train': 40, 'test': 20} and set(r.target) == set(tickets.queue)

def test_sides_of_files(tmp_path, tickets):
    "train.csv beside test.csv; lines of classes in train and test; lines that begin with their label"
    a, b = tickets[:40], tickets[40:]
    (tmp_path/'t').mkdir(); a.to_csv(tmp_path/'t'/'train.csv', index=False); b[b.columns[::-1]].to_csv(tmp_path/'t'/'test.csv', index=False)
    r = reading(tmp_path/'t', target='queue')
    assert r.split.tolist() == ['train']*40 + ['test']*20 and r.ids[40] == 'test.csv, row 2' and r.target.tolist() == tickets.queue.tolist() and r.frame.text.tolist() == tickets.text.map(clean).tolist()
    put(tmp_path/'l', ['train/pos.txt', 'train/neg.txt', 'test/pos.txt', 'test/neg.txt'], ['a b\nc d', 'e f', 'g h', 'i j\nk l'])
    r = reading(tmp_path/'l')
    assert sorted(zip(r.frame.text, r.target, r.split)) == [('a b', 'pos', 'train'), ('c d', 'pos', 'train'), ('e f', 'neg', 'train'), ('g h', 'pos', 'test'), ('i j', 'neg', 'test'), ('k l', 'neg', 'test')]
    (tmp_path/'t'/'train.csv').write_text('text,kind\na b,x\n'); refused(tmp_path/'t', 'other columns', target='queue')

def test_options(tmp_path, tickets):
    f = tickets.assign(side=['train', 'test']*30, who=[f'c{i // 2}' for i in range(60)], note='some other longer free text of no use at all, ' + tickets.text + tickets.text)
    f.to_csv(tmp_path/'a.csv', index=False)
    r = reading(tmp_path/'a.csv', target='queue', text='text', sensitive=['mentions'], data_split='side', data_group='who')
    assert list(r.groups) == ['mentions'] and r.split.tolist() == f.side.tolist() and r.cluster.tolist() == f.who.tolist() and 'guessed' not in r.found['text']
    assert reading(tmp_path/'a.csv', target='queue').frame.text[0] == clean(f.text[0]) # it is called text
    f.rename(columns={'text': 'body'}).to_csv(tmp_path/'b.csv', index=False)
    assert 'note' in reading(tmp_path/'b.csv', target='queue').found['text'] and reading(tmp_path/'b.csv', target='queue', data_drop=['note']).frame.text[0] == clean(f.text[0])

def test_guesses(tmp_path):
    rows = [dict(id=i, when=f'2024-01-{i % 28 + 1:02} 10:00:00', url=f'https://example.org/a/very/long/address/that/is/no/text/at/all/{i}/index.html', review=f'Nice thing number {i}', stars=i % 5) for i in range(40)]
    pd.DataFrame(rows).to_csv(tmp_path/'a.csv', index=False)
    r = reading(tmp_path/'a.csv', target='stars')
    assert r.frame.text[3] == 'Nice thing number 3' and r.target[3] == 3
    pd.DataFrame(rows)[['id', 'review', 'stars']].to_csv(tmp_path/'b.csv', index=False)
    assert reading(tmp_path/'b.csv').target.name == 'stars' and 'guessed' in reading(tmp_path/'b.csv').found['target']
    pd.DataFrame(rows)[['id', 'stars']].to_csv(tmp_path/'c.csv', index=False)
    refused(tmp_path/'c.csv', 'no column of texts', 'data.text', target='stars')

def test_several_labels_and_numbers(tmp_path, tickets):
    f = pd.DataFrame(dict(text=tickets.text, tags=['a;b', 'b', '']*20, score=np.linspace(0, 1, 60)))
    f.to_csv(tmp_path/'a.csv', index=False)
    d = load(Recipe.for_text(data=str(tmp_path/'a.csv'), target='tags', data_separator=';'))
    assert d.task == 'multilabel' and d.classes == ['a', 'b'] and d.y.sum(0).tolist() == [20, 40]
    assert load(Recipe.for_text(data=str(tmp_path/'a.csv'), target='score')).task == 'regression'
    assert load(Recipe.for_text(data=str(tmp_path/'a.csv'), data_positive='score > .5')).classes[1] == 'score > .5'


# ---- what is wrong, and said
def test_what_cannot_be_read(tmp_path):
    refused(tmp_path/'nowhere', 'no such folder', kind=DataError)
    (tmp_path/'x').mkdir(); refused(tmp_path/'x', 'no texts')
    put(tmp_path/'x', ['only/1.txt', 'only/2.txt'], ['a', 'b']); refused(tmp_path/'x', 'only one class folder')
    put(tmp_path/'y', ['train/1.txt', 'test/1.txt'], ['a b', 'b c']); refused(tmp_path/'y')
    put(tmp_path/'z', ['a.csv', 'b.csv'], ['text,label\na b,x\n']*2); refused(tmp_path/'z', 'more than one table')
    put(tmp_path/'w', [f'{i}.txt' for i in range(300)], ['x y']*300); refused(tmp_path/'w', 'no folder per class')
    put(tmp_path/'v', ['a/1.txt', 'b/1.txt'], [b'%PDF-1.4', b'\0\1\2']); refused(tmp_path/'v', 'no text can be read', 'PDF')
    put(tmp_path/'u', ['a/1.txt', 'b/1.txt'], ['x', 'y']); refused(tmp_path/'u', 'a folder has no columns', kind=RecipeError, sensitive=['sex'])
    (tmp_path/'t.csv').write_text('text,label\n,a\n"<p></p>",b\n'); refused(tmp_path/'t.csv', 'no row has a text')
    (tmp_path/'s.csv').write_text('text,label\nx y,a\nz z,b\n')
    refused(tmp_path/'s.csv', 'cannot be', kind=RecipeError, target='label', text='text', sensitive=['text'])
    refused(tmp_path/'s.csv', 'did you mean', kind=RecipeError, text='txt')
    refused(tmp_path/'s.csv', 'are dropped', kind=RecipeError, text='text', data_drop=['text'])

def test_a_file_of_one_class_names_its_neighbours(tmp_path):
    put(tmp_path, ['film.pos', 'film.neg'], ['so "good , really\nyes\n', 'bad\n'])
    refused(tmp_path/'film.pos', 'without labels', str(tmp_path/'film'))

def test_folder_notes(tmp_path, tickets):
    "Unreadable and empty files are left out and named; encodings that differ are counted"
    as_folder(tickets, tmp_path/'x')
    put(tmp_path/'x', ['billing/bad.txt', 'access/empty.txt', 'access/blank.txt', 'billing/l1.txt', 'billing/u1.txt', 'billing/u2.txt', 'billing/photo.png', 'README.md'],
        [b'\x89PNG\r\n', b'', ' \n\x00'.replace('\x00', ''), 'déjà vu'.encode('cp1252'), 'déjà lu', 'déjà su', b'', 'about'])
    r = reading(tmp_path/'x')
    notes = {o.code: o for o in r.notes}
    assert notes['unreadable_file'].items == ['billing/bad.txt (is a PNG picture)'] and notes['missing_values'].items == ['access/blank.txt', 'access/empty.txt']
    assert notes['mixed_encoding'].count == 1 and 'billing/l1.txt' in notes['mixed_encoding'].where and len(r.frame) == 63 and r.found['other files'] == 2

def test_links_and_hidden_files(tmp_path, tickets):
    as_folder(tickets, tmp_path/'x'); (tmp_path/'secret.txt').write_text('secret')
    (tmp_path/'x'/'billing'/'link.txt').symlink_to(tmp_path/'secret.txt'); put(tmp_path/'x', ['billing/.hidden.txt', '.git/config', '__MACOSX/billing/1.txt'], ['no']*3)
    r = reading(tmp_path/'x')
    assert len(r.frame) == 60 and r.found['links'] == 1 and 'secret' not in r.frame.text.tolist()

def test_cleaned(tmp_path):
    texts = ['<p>Hello<br>world &amp; all</p>', 'مرحبا بالعالم', 'I \U0001f49a it \U0001f468\u200d\U0001f469\u200d\U0001f467', 'bell\x07 zero\u200bwidth', 'cafe\u0301 it\x92s', 'NA', 'null', '?', 'a < b > c']*3
    pd.DataFrame(dict(text=texts, label=['a', 'b', 'c']*9)).to_json(tmp_path/'a.jsonl', orient='records', lines=True)
    r = reading(tmp_path/'a.jsonl')
    assert r.frame.text[:9].tolist() == ['Hello world & all', texts[1], texts[2], 'bell zerowidth', 'café it’s', 'NA', 'null', '?', 'a < b > c']
    assert r.found['taken out'] == 'HTML in 3 texts, control characters in 6 texts' and not r.notes

def test_long_texts(tmp_path):
    "1 MB each: in a cell, in a file; found and shown"
    long = 'word and another one, <b>bold</b> '*30_000
    pd.DataFrame(dict(text=[f'{i} {long}' for i in range(6)] + [f'short text {i*37}' for i in range(14)], label=['a', 'b']*10)).to_csv(tmp_path/'a.csv', index=False)
    d = load(Recipe.for_text(data=str(tmp_path/'a.csv')))
    assert d.frame.text.str.len().max() > 700_000 and len(show(d, [0, 1, 2])) < 40_000
    json.dumps(d.assess().to_dict())
    put(tmp_path/'x', ['a/1.txt', 'b/1.txt'], [long, 'x'*17_000_000])
    assert [o.code for o in reading(tmp_path/'x').notes] == ['unreadable_file']

def test_reading_is_light():
    "No training library is loaded, and it takes about a second"
    code = 'import sys\nfrom tlnb.recipe import Recipe\nfrom tlnb.text.read import read\nread(Recipe.for_text(data="tickets").resolve())\nprint(*sys.modules)'
    loaded = set(subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout.split())
    assert not loaded & {'torch', 'fastai', 'sklearn', 'transformers', 'tokenizers', 'shap', 'matplotlib', 'PIL'}

def test_unlabelled(tmp_path, tickets):
    (tmp_path/'a.txt').write_text('\n'.join(tickets.text)); tickets.to_csv(tmp_path/'a.csv', index=False)
    data = Recipe.for_text().resolve().data
    assert read_unlabelled(str(tmp_path/'a.txt'), data) == read_unlabelled(str(tmp_path/'a.csv'), data) == list(dict.fromkeys(map(clean, tickets.text)))
    (tmp_path/'e.txt').write_text('\n \n')
    with pytest.raises(DataError): read_unlabelled(str(tmp_path/'e.txt'), data)


# ---- choices about single texts
@pytest.mark.parametrize('way', WAYS)
def test_choices_are_read_in_every_way(tmp_path, tickets, way):
    "A file of choices beside the data is applied, and is no data itself"
    path = WAYS[way](tickets.assign(text=[o.encode('ascii', 'ignore').decode().strip() for o in tickets.text])[['text', 'queue']], tmp_path)
    before = reading(path)
    a, b = before.ids[0], before.ids[-1]
    other = next(o for o in before.target.unique() if o != before.target[0])
    write_choices(choices_path(str(path)), {a: Choice('relabel', other), b: Choice('delete'), 'row 999': Choice('delete')})
    after = reading(path)
    assert after.ids == before.ids[:-1] and after.target.tolist() == [other, *before.target[1:-1]] and after.frame.text.tolist() == before.frame.text[:-1].tolist()
    assert after.sha256 != before.sha256 and after.before.ids == before.ids and after.before.target.tolist() == before.target.tolist()
    assert after.found['choices'].startswith('1 relabelled, 1 left out') and [o.where for o in after.notes if o.code == 'unreadable_file'] == ['row 999']

def test_choices_about_numbers_and_labels(tmp_path, tickets):
    f = tickets.assign(hours=np.linspace(0, 6, 60).round(2), tags=[';'.join(o) for o in zip(tickets.queue, ['new', 'old']*30)], code=[1, 2, 3]*20)
    f.to_csv(tmp_path/'a.csv', index=False)
    def after(target, label, **options):
        write_choices(tmp_path/'a.choices.csv', {'row 2': Choice('relabel', label)})
        return load(Recipe.for_text(data=str(tmp_path/'a.csv'), text='text', target=target, **options))
    hours, tags, code = after('hours', '9.5'), after('tags', 'old', data_separator=';'), after('code', '3')
    assert hours.task == 'regression' and hours.y[hours.ids.index('row 2')] == 9.5 and not [o for o in hours.notes if o.code == 'class_too_small']
    assert tags.said([tags.ids.index('row 2')]) == ['old'] and code.classes == ['1', '2', '3'] and code.said([code.ids.index('row 2')]) == ['3']
    assert [o.where for o in after('queue', 'bililng').notes if o.code == 'class_too_small'] == ["'bililng': 1 text"]

def test_choices_that_cannot_be_used(tmp_path, tickets):
    tickets.to_csv(tmp_path/'a.csv', index=False)
    refused(tmp_path/'a.csv', 'no such file', 'data.choices', target='queue', data_choices='mine.csv')
    write_choices(tmp_path/'a.choices.csv', {f'row {i}': Choice('delete') for i in range(99)})
    refused(tmp_path/'a.csv', 'no text is left', target='queue')
    (tmp_path/'a.choices.csv').write_text('file,choice\nrow 1,relable\n')
    refused(tmp_path/'a.csv', "did you mean 'relabel'?", target='queue')


# ---- copies
def test_copies_are_kept_off_the_judged_rows(tmp_path, tickets):
    f = pd.concat([tickets.assign(split='train'), line_b(40, seed=6).assign(split='test')], ignore_index=True)
    f.loc[60:62, 'text'] = f.text[:3].tolist()
    f.loc[63:64, 'text'] = [o.upper() + '!!' for o in f.text[3:5]]
    f.to_csv(tmp_path/'a.csv', index=False)
    d = load(Recipe.for_text(data=str(tmp_path/'a.csv'), target='queue', data_split='split'))
    notes = {o.code: o.count for o in d.notes}
    assert notes['duplicate_across_split'] == 3 and notes['near_duplicate'] == 2 and len(d.judged) == 35

EDITS = dict(
    case=str.upper, punctuation=lambda t: t.replace('.', ' ;').replace(',', ''), signature=lambda t: t + ' Sent from my phone', typo=lambda t: t[:40] + 'q' + t[41:],
    greeting=lambda t: 'Hello there. ' + t, word=lambda t: ' '.join([*t.split()[:5], 'really', *t.split()[5:]]))

@pytest.mark.parametrize('edit', EDITS)
def test_near_copies_are_found(edit):
    texts = line_b(400, seed=8).text
    texts = texts[texts.str.len() > 150].tolist()
    n = len(texts)
    near = keys(pd.DataFrame({'text': texts + [EDITS[edit](o) for o in texts[:60]]}))[1].tolist()
    assert sum(a == b for a, b in zip(near, near[n:])) >= 54 and len(set(near[:n])) == n

def test_a_form_is_no_copy():
    "Where all texts are filled in from one form, they are not called copies of one another"
    form = 'Dear customer service, my name is {} and my number is {}. I hereby end my contract at the next possible date and ask for a confirmation in writing. Kind regards'
    texts = [form.format(a, i) for i, a in enumerate(['Anna', 'Ben', 'Carla', 'Dirk', 'Eva', 'Finn']*40)]
    exact, near = keys(pd.DataFrame({'text': texts}))
    assert near.nunique() == 240

def test_odd_frames():
    for texts in ([], ['one'], ['', 'x'], ['a']*5, ['?', '!', '...'], ['\U0001f600', '\U0001f600 ']):
        exact, near = keys(pd.DataFrame({'text': pd.Series(texts, dtype=object)}))
        assert len(exact) == len(near) == len(texts) and exact.nunique() == len(set(texts))


# ---- leaks
def told(tmp_path, f, **options):
    f.to_csv(tmp_path/'a.csv', index=False)
    d = load(Recipe.for_text(data=str(tmp_path/'a.csv'), target='queue', **options))
    json.dumps(d.assess().to_dict(), allow_nan=False)
    return {o.code: str(o) for o in d.assess().warnings}

def test_a_clean_set_is_silent(tmp_path): assert not told(tmp_path, make_tickets(n_judged=300), data_split='split')

def test_giveaways(tmp_path):
    f = make_tickets(n_judged=300)
    assert 'ilka' in told(tmp_path, make_tickets(n_judged=300, cue=True), data_split='split')['target_leak']
    assert 'holds its own label' in told(tmp_path, f.assign(text='Category: ' + f.queue + '. ' + f.text).assign(text=lambda o: [t if i % 4 else t.split('. ', 1)[1] for i, t in enumerate(o.text)]), data_split='split')['target_leak']
    stamped = f.assign(text=[t + (' #7Q' if q == 'billing' and s == 'train' else '') for t, q, s in zip(f.text, f.queue, f.split)])
    assert 'no longer' in told(tmp_path, stamped, data_split='split')['target_leak']

def test_other_warnings(tmp_path):
    f = make_tickets(n_judged=100).drop(columns='split')
    f = pd.concat([f, f[:4].assign(queue='howto'), f[4:8].assign(text=f.text[4:8] + '!')], ignore_index=True)
    f.loc[20:24, 'text'] = ''
    codes = told(tmp_path, f)
    assert {'duplicate_across_split', 'near_duplicate', 'conflicting_label', 'missing_values'} == set(codes)


# ---- real data
def test_real_files(data_dir):
    "With no option but the target where it cannot be known"
    sms = reading(data_dir/'text'/'sms.tsv')
    assert sms.target.value_counts().to_dict() == {'ham': 4827, 'spam': 747} and 400 <= len(sms.frame) - keys(sms.frame)[0].nunique() <= 420
    trec = reading(data_dir/'text'/'TREC')
    assert trec.split.value_counts().to_dict() == {'train': 5452, 'test': 500} and trec.target.nunique() == 6 and reading(data_dir/'text'/'TREC', target='sublabel').target.nunique() == 50
    rt = reading(data_dir/'text'/'rt-polarity')
    assert rt.target.value_counts().to_dict() == {'neg': 5331, 'pos': 5331} and rt.found['encoding'] == 'cp1252'
    books = reading(data_dir/'amazon'/'books')
    assert books.target.value_counts().to_dict() == {'negative': 3000, 'positive': 3000}
    toxic = reading(data_dir/'toxicity'/'toxicity_fuzzed_testset.csv')
    assert toxic.target.name == 'toxic' and len(toxic.frame) == 1492
    assert all('&quot;' not in o for o in books.frame.text)
