"Single items explained in a real JupyterLab: chosen, changed, given, stopped, written as a cell that runs"
import base64, json, os, re

import nbformat
import numpy as np
import pandas as pd
import pytest

import lab
from rounds import rounds
from test_browser import AT_ROOT, address, chromium, kernel, page, pytestmark, python, shot # noqa: F401

TICKETS = dict(access=['I forgot my password', 'I cannot log in', 'my account is locked'], billing=['where is my refund', 'the invoice is wrong', 'I paid twice'])


@pytest.fixture(scope='module')
def small_runs(address):
    "A run of each kind of data in the folder of the server: trained for seconds"
    from tlnb.adapt import adapt
    from tlnb.dataset import load
    from tlnb.explain import explain
    from tlnb.recipe import Recipe
    root,rng,here = address[1],np.random.default_rng(0),os.getcwd()
    df = pd.DataFrame(dict(income=rng.normal(50, 10, 300).round(2), job=rng.choice(['clerk', 'craft', 'pilot'], 300), age=rng.integers(18, 80, 300)))
    df.assign(bought=np.where(df.income + 8*(df.job == 'pilot') + rng.normal(0, 4, 300) > 52, 'yes', 'no')).to_csv(root/'people.csv', index=False)
    pd.DataFrame([dict(text=f'{rng.choice(["Hello.", "Dear team,", "Good day,"])} {s} {rng.choice(["please help", "since today", "thanks", "what now"])} {i}', queue=k) for i in range(60) for k,o in TICKETS.items() for s in [o[i % 3]]]).to_csv(root/'mail.csv', index=False)
    rounds(root/'shapes-mine', 64)
    quick = dict(strategy='feature_extraction', run_seeds=1, run_jobs=1, transfer_labels_needed=False, explain_items=3, explain_evaluations=80, explain_background=20, run_cache=str(root/'cache'))
    made = dict(tabular=Recipe.for_tabular(data='people.csv', target='bought', train_epochs=6, **quick | dict(strategy='auto')),
        text=Recipe.for_text(data='mail.csv', target='queue', source='tickets', train_epochs=2, **quick), vision=Recipe.for_vision(data='shapes-mine', source='shapes', train_epochs=2, **quick))
    os.chdir(root)
    try:
        for name,recipe in made.items():
            run = adapt(load(recipe), recipe, root/'explained'/name)
            if name != 'text': explain(run)
    finally: os.chdir(here)
    return root


@pytest.fixture
def opened(page, small_runs, request):
    "`opened(modality)`: a notebook with the panel of the run, and the panel"
    def make(modality):
        nb = nbformat.v4.new_notebook(metadata=dict(kernelspec=dict(display_name='Python 3', language='python', name='python3')))
        nb.cells = [nbformat.v4.new_code_cell(f'import warnings\nwarnings.filterwarnings("ignore")\nfrom tlnb import Run, explain_panel\nmine = Run.load("explained/{modality}")'), nbformat.v4.new_code_cell('explain_panel(mine)')]
        nbformat.write(nb, small_runs/f'why-{modality}.ipynb')
        page.open('lab?token=secret&reset', None)
        page.open_notebook(f'why-{modality}.ipynb')
        assert not [o['failed'] for o in page.run_cells() if o['failed']]
        return page, page.panel('Why this one?')
    return make


def said(panel, text): panel.locator('.tlnb-status', has_text=re.compile(text)).wait_for()

def fails(panel, text): panel.locator('.tlnb-ex > .tlnb-error', has_text=text).wait_for()

def written(page, panel):
    "The cell that the panel writes: it runs, and Ctrl+Z takes it back"
    before = len(page.cells())
    panel.get_by_role('button', name='Write to notebook').click()
    said(panel, 'Inserted below')
    cells = page.cells()
    assert len(cells) == before + 1 and 'explain(mine' in cells[-1]['source'] and cells[-1]['count'] is None
    page.page.evaluate('jupyterapp.shell.currentWidget.content.model.sharedModel.undo()')
    assert len(page.cells()) == before
    panel.get_by_role('button', name='Write to notebook').click()
    page.page.wait_for_function(f'jupyterapp.shell.currentWidget.content.widgets.length === {before + 1}')
    page.page.evaluate("""async n => { const nb = jupyterapp.shell.currentWidget.content; nb.deselectAll(); nb.activeCellIndex = n; await jupyterapp.commands.execute('notebook:run-cell'); }""", before)
    assert not [o['failed'] for o in page.until_idle(before + 1) if o['failed']]
    return cells[-1]['source']

def good(page):
    "axe in both themes, nothing complained of"
    page.panels_are_accessible()
    assert not [o for o in page.errors if 'tlnb' in o.lower() or 'TypeError' in o], page.errors


@AT_ROOT
def test_a_row_and_what_if(opened, address):
    page,panel = opened('tabular')
    press,pressed = page.page.keyboard.press,panel.locator('.tlnb-ex-item[aria-pressed=true]')
    first = pressed.get_attribute('data-id')
    assert panel.locator('svg').first.get_attribute('aria-label').startswith(f'What counted: {first}') and 'typical of yes' in ' '.join(panel.locator('select').first.locator('option').all_inner_texts())
    shot(page, 'explain-row', panel)
    # by keyboard alone: another item, an id, one that is not there
    pressed.focus()
    press('ArrowRight'); press('Enter')
    page.page.wait_for_function('o => document.querySelector(".tlnb-ex-item[aria-pressed=true]").dataset.id !== o', arg=first)
    second = pressed.get_attribute('data-id')
    said(panel, second)
    assert pressed.evaluate('o => o === document.activeElement')
    panel.get_by_label('Item by its id').fill('row 9999')
    press('Enter')
    fails(panel, 'no such item')
    assert second in panel.locator('.tlnb-status').inner_text()
    panel.get_by_label('Item by its id').fill(first)
    press('Enter')
    said(panel, f'{first}:')
    # what if
    panel.get_by_text('What if? Change this row').click()
    income = panel.get_by_label('income', exact=True)
    was = income.input_value()
    income.fill('lots'); press('Enter')
    fails(panel, 'not a number')
    income.fill('12'); press('Enter')
    said(panel, f'{first}, changed: .* \\(before: ')
    panel.get_by_text('lies outside of the training rows').wait_for()
    row = panel.locator('.tlnb-body tr', has_text='income').first
    assert row.locator('td').first.inner_text() == was and panel.locator('.tlnb-changed').count() == 1 and panel.get_by_text('before', exact=True).count()
    shot(page, 'explain-what-if', panel)
    assert '"income": 12' in written(page, panel)
    panel.get_by_label('Method').select_option('lime')
    panel.get_by_text(re.compile('LIME \\(a weighted plane')).first.wait_for()
    panel.get_by_role('button', name='Back to the item').click()
    said(panel, f'{first}:')
    assert income.input_value() == was
    good(page)
    # without its kernel the notebook still shows it
    page.save()
    page.page.wait_for_timeout(800)
    data = json.loads((address[1]/'why-tabular.ipynb').read_text())['cells'][1]['outputs'][0]['data']
    assert '<svg' in ''.join(data['text/html']) and '<button' not in ''.join(data['text/html']) and first in ''.join(data['text/html'])


@AT_ROOT
def test_a_text_of_ones_own(opened):
    page,panel = opened('text')
    marks = panel.locator('.tlnb-body mark')
    assert marks.count() >= 2
    shot(page, 'explain-text', panel)
    panel.locator('select').first.select_option(index=2)
    panel.locator('.tlnb-ex-item').first.click()
    said(panel, panel.locator('.tlnb-ex-item').first.get_attribute('data-id'))
    panel.get_by_text('Change this text, or paste your own').click()
    box = panel.get_by_label('Text', exact=True)
    box.fill('')
    panel.get_by_role('button', name='Explain this text').click()
    fails(panel, 'there is no text')
    box.fill('My <b>password</b> was refused and I cannot log in. <script>alert(1)</script>')
    page.page.keyboard.press('Control+Enter')
    said(panel, 'your text: ')
    assert 'password' in marks.all_inner_texts() and not panel.locator('.tlnb-body script').count()
    classes = panel.get_by_label('Explained').locator('option').evaluate_all("all => all.map(o => o.value).filter(o => o[0] === '=').map(o => o.slice(1))")
    other = next(o for o in classes if f'your text: {o}' not in panel.inner_text()) # not the one that is explained already
    panel.get_by_label('Explained').select_option(f'={other}')
    said(panel, f'your text: {other}')
    shot(page, 'explain-own-text', panel)
    assert f'classes=["{other}"]' in written(page, panel)
    good(page)


@AT_ROOT
def test_a_picture_of_ones_own(opened, address, tmp_path):
    from PIL import Image, ImageDraw
    page,panel = opened('vision')
    assert panel.locator('.tlnb-ex-item img').count() > 5 and panel.locator('.tlnb-body svg image').count() >= 2
    shot(page, 'explain-picture', panel)
    panel.get_by_text('A picture of your own').click()
    image = Image.new('RGB', (300, 200), 'white')
    ImageDraw.Draw(image).ellipse([60, 40, 200, 180], fill='darkorange')
    image.save(tmp_path/'my round.png')
    image.rotate(20).save(tmp_path/'other.png')
    (tmp_path/'no.png').write_bytes(b'hello')
    chooser = panel.get_by_label('Choose a picture')
    chooser.set_input_files(tmp_path/'no.png')
    fails(panel, 'not a picture')
    chooser.set_input_files(tmp_path/'my round.png')
    said(panel, 'my round.png: ')
    assert panel.locator('.tlnb-ex > .tlnb-error').inner_text() == ''
    shot(page, 'explain-own-picture', panel)
    assert 'explained/vision/given/' in written(page, panel) and len(list((address[1]/'explained'/'vision'/'given').iterdir())) == 1
    # dropped; a long explanation is stopped, and shows what is known
    kernel(page, 'setattr(S := __import__("tlnb.scorer", fromlist=["Scorer"]).Scorer, "_scores", (lambda f: lambda self, x: (__import__("time").sleep(.4), f(self, x))[1])(S._scores))')
    page.page.evaluate("""async b => { const file = new File([Uint8Array.from(atob(b), c => c.charCodeAt(0))], 'dropped.png'), data = new DataTransfer();
      data.items.add(file); document.querySelector('.tlnb-ex-drop').dispatchEvent(new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer: data})); }""",
      base64.b64encode((tmp_path/'other.png').read_bytes()).decode())
    panel.get_by_text(re.compile('Explaining dropped.png: [1-9].* questions')).wait_for()
    panel.locator('.tlnb-ex-item').nth(7).click()                         # the last wish counts
    panel.get_by_text(re.compile(f'Explaining .*{panel.locator(".tlnb-ex-item").nth(7).get_attribute("data-id")}: [1-9][0-9].* questions')).wait_for()
    panel.get_by_role('button', name='Stop').click()
    said(panel, 'Ended early')
    panel.get_by_text('ended early: stopped').wait_for()
    shot(page, 'explain-stopped', panel)
    good(page)
