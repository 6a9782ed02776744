"A name of what comes along means that, whatever lies in the working folder; a name of a hub stays a name."
from pathlib import Path

import pandas as pd
import pytest

from tlnb.dataset import load
from tlnb.errors import DataError
from tlnb.recipe import Recipe
from tlnb.request import at, find, change
from tlnb.source import find_source

MAKE = dict(loans=Recipe.for_tabular, parts=Recipe.for_vision, shapes=Recipe.for_vision, tickets=Recipe.for_text)

@pytest.fixture
def beside(tmp_path, monkeypatch):
    "A working folder with a folder of each name, with a table in it"
    for o in MAKE:
        (tmp_path/o).mkdir()
        pd.DataFrame(dict(text=[f'{w} number {i}' for i in range(20) for w in ('pump', 'bill')], what=['pipes', 'money']*20)).to_csv(tmp_path/o/'table.csv', index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path

@pytest.mark.parametrize('name', ['loans', 'tickets'])
def test_a_folder_does_not_hide_embedded_data(name, beside):
    for folder in ('.', beside): assert load(MAKE[name](data=name), folder).found['format'] == 'embedded data'
    try: other = load(MAKE[name](data=f'./{name}'), '.').found['format']
    except DataError: other = 'no table'
    assert other != 'embedded data'

def test_a_path_is_written_as_one(beside):
    ds = load(Recipe.for_text(data='./tickets/table.csv', target='what'), '.')
    assert ds.classes == ['money', 'pipes'] and len(ds.frame) == 40

@pytest.mark.parametrize('name', MAKE)
def test_a_request_keeps_the_names(name, beside):
    values = {k: name for k in (['source.name'] if name == 'shapes' else ['data.path', 'source.name', 'source.data'])} # shapes are a source alone
    assert at(values, beside) == values
    assert at({'data.path': f'./{name}', 'source.name': f'./{name}'}, beside) == {'data.path': str(beside/name), 'source.name': str(beside/name)}

def test_the_command_line_keeps_them_too(beside):
    asked = find('text')
    change(asked, {'data.path': 'tickets', 'source.name': 'my-lab/encoder-v1.5', 'text.unlabelled': 'inbox.csv'})
    assert '"tickets"' in asked.cell.source and '"my-lab/encoder-v1.5"' in asked.cell.source and f'"{beside}/inbox.csv"' in asked.cell.source and f'{beside}/tickets' not in asked.cell.source

def test_a_hub_name_is_a_path_only_where_something_lies_there(beside):
    assert at({'source.name': 'my-lab/encoder'}, beside) == {'source.name': 'my-lab/encoder'}
    for o in ('./my-lab/encoder', 'a/b/c', '../a/b'): assert at({'source.name': o}, beside) == {'source.name': str((beside/o).resolve())}
    (beside/'my-lab'/'encoder').mkdir(parents=True)
    assert at({'source.name': 'my-lab/encoder'}, beside) == {'source.name': str(beside/'my-lab'/'encoder')}

def test_a_shipped_source_is_not_hidden_by_a_folder_of_its_name(beside):
    import shutil, tlnb
    shutil.copytree(Path(tlnb.__file__).parent/'shipped'/'loans', beside/'tickets', dirs_exist_ok=True) # a model, of tables
    ds = load(Recipe.for_text(data='tickets', source='tickets'), '.')
    assert find_source(ds.recipe, ds, None).origin == 'shipped'
