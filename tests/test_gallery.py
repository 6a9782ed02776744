"Templates are all there or said to be damaged; a new notebook never costs an old one"
import json

import pytest

from tlnb.cell import find_cell
from tlnb.errors import RecipeError, StoreError
from tlnb.gallery import new, templates
from tlnb.recipe import Recipe


def test_shipped():
    for o in templates():
        nb = json.loads(o.notebook.read_text(encoding='utf-8'))
        source = ''.join(nb['cells'][find_cell(nb)]['source'])
        assert Recipe.from_cell(source).modality == o.modality
        assert o.to_dict()['steps'] and o.title in o._repr_html_() and (o.folder/'icon.svg').is_file()

GOOD = dict(name='a', title='A', modality='tabular', steps=[dict(id='recipe', phase='Selection', title='Say')])

@pytest.mark.parametrize('content, notebook, why', [
    (GOOD, False, 'no a.ipynb'), ('{', True, 'not JSON'), (None, True, 'No such file'), ([], True, 'it needs'),
    ({**GOOD, 'name': 'b'}, True, "it is called 'b'"),
    ({**GOOD, 'more': 1}, True, 'it needs'),
    ({k: v for k, v in GOOD.items() if k != 'steps'}, True, 'it needs'), ({**GOOD, 'steps': [{'id': 'x'}]}, True, 'a step needs'),
])
def test_damaged(tmp_path, content, notebook, why):
    (tmp_path/'a').mkdir()
    if content is not None: (tmp_path/'a'/'template.json').write_text(content if isinstance(content, str) else json.dumps(content))
    if notebook: (tmp_path/'a'/'a.ipynb').write_text('{}')
    with pytest.raises(StoreError, match='a template is damaged') as e: templates(tmp_path)
    assert why in str(e.value) and str(tmp_path/'a'/'template.json') in str(e.value)

def test_missing(tmp_path):
    for folder in (tmp_path, tmp_path/'none'):
        with pytest.raises(StoreError, match='no templates'): templates(folder)
    with pytest.raises(RecipeError, match="did you mean 'tabular'"): new('tabluar', tmp_path)

def test_new(tmp_path, monkeypatch):
    template = next(o for o in templates() if o.name == 'tabular')
    monkeypatch.chdir(tmp_path)
    assert new('tabular').resolve() == (tmp_path/'tabular.ipynb').resolve()
    assert (tmp_path/'tabular.ipynb').read_bytes() == template.notebook.read_bytes()
    assert new(template, 'é.v2').name == 'é.v2.ipynb' and new(template, 'x.ipynb').name == 'x.ipynb'
    (tmp_path/'x.ipynb').write_text('mine')
    with pytest.raises(StoreError, match='exists already'): new('tabular', 'x')
    assert (tmp_path/'x.ipynb').read_text() == 'mine'
    new('tabular', 'x', force=True)
    (tmp_path/'file').write_text('')
    with pytest.raises(StoreError): new('tabular', tmp_path/'file'/'x.ipynb')

def test_new_with_a_recipe(tmp_path):
    recipe = Recipe.for_tabular(data='c"ä.csv', target='y', train_lr='find', data_drop=['a', 'b'])
    nb = json.loads(new('tabular', tmp_path/'n', recipe=recipe).read_text(encoding='utf-8'))
    template = json.loads(templates()[0].notebook.read_text(encoding='utf-8'))
    i = find_cell(nb)
    assert Recipe.from_cell(''.join(nb['cells'][i]['source'])) == recipe
    assert [o for n, o in enumerate(nb['cells']) if n != i] == [o for n, o in enumerate(template['cells']) if n != i]
    with pytest.raises(RecipeError, match='text recipe, tabular template'): new('tabular', tmp_path/'m', recipe=Recipe.for_text())
    assert not (tmp_path/'m.ipynb').exists()
