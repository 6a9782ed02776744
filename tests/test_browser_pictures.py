"Pictures in a real JupyterLab: a folder of one's own, from the card to a verdict"
import pytest

import lab
from rounds import rounds
from test_browser import AT_ROOT, address, chromium, page, pytestmark, python, shot
from tlnb.cell import read_cell


@pytest.fixture
def mine(page, address):
    "A notebook for 64 pictures and a broken one, made in the dialog, and run"
    rounds(address[1]/'photos', 64)
    (address[1]/'photos'/'round'/'broken.png').write_bytes(b'')
    page.open()
    page.page.locator('.jp-LauncherCard', has_text='Pictures').first.click()
    dialog = page.page.locator('.jp-Dialog')
    dialog.get_by_label('Notebook', exact=True).fill('mine')
    dialog.get_by_label('Data', exact=True).fill('photos')
    dialog.get_by_role('button', name='Create').click()
    page.page.wait_for_selector('.jp-NotebookPanel')
    assert page.ready() == 'mine.ipynb'
    assert not [o['failed'] for o in page.run_cells() if o['failed']]
    return page


@AT_ROOT
def test_own_pictures(mine, address):
    page = mine
    assert read_cell(page.recipe()) == {'data.path': 'photos', 'source.name': 'shapes'}, 'a source that goes with all pictures'
    source,data,strategy,training,report = (page.panel(o) for o in ('Source', 'Data', 'Strategy', 'Training', 'Report'))
    assert source.get_by_text('Card of shapes').is_visible() and not source.get_by_text('Card of resnet18', exact=True).is_visible(), 'what is not here is folded away'
    data.get_by_text('64 pictures', exact=True).wait_for()
    assert 'broken.png (the picture is empty)' in data.text_content() # not inner_text: what is out of view is not laid out
    assert data.locator('figure img').evaluate_all('o => o.length >= 6 && o.every(i => i.complete && i.naturalWidth && i.alt)')
    assert strategy.get_by_text('Domain adaptation', exact=True).count() and strategy.locator('img').count() >= 10, 'random changes are shown'
    assert training.locator('figure').count()
    assert report.locator('svg').first.get_attribute('aria-label').startswith('Value of each arm') and 'fine tuning' in report.locator('svg').first.get_attribute('aria-label')
    page.run('tlnb:show-panel')
    side = page.page.locator('#tlnb-sidepanel')
    verdict = next(o for o in ('helped', 'no difference', 'hurt') if o in report.locator('p').first.text_content())
    side.get_by_text(verdict).first.wait_for()
    assert not page.page.locator('[data-mime-type="application/vnd.jupyter.stderr"]').count(), 'no library complains into the page'
    for name,panel in dict(source=source, data=data, strategy=strategy, training=training, report=report).items(): shot(page, f'pictures-{name}', panel)
    page.panels_are_accessible()
    assert not [o for o in page.errors if 'tlnb' in o.lower()], page.errors
