"""What the extension costs JupyterLab's start, and how soon the first panel is there: both in a real browser.

    python tests/bench/panels.py [--times 40]"""
import argparse, json, os, statistics, sys, tempfile, time
from pathlib import Path

os.environ.setdefault('OMP_NUM_THREADS', '1')
sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[1])]
import lab  # noqa: E402

START = 'async () => { await jupyterapp.restored; return performance.now(); }'


def start(b, url):
    "Milliseconds from the request to a JupyterLab that is restored, with the launcher in it"
    context = b.new_context()
    page = context.new_page()
    page.goto(f'{url}lab?token=secret&reset')
    page.wait_for_function('window.jupyterapp')
    ms = page.evaluate(START)
    context.close()
    return ms


def starts(b, times):
    "Starts with and without the extension, in turns, so that a busy moment meets both"
    with tempfile.TemporaryDirectory() as folder:
        homes = {o: Path(folder)/o for o in ('with', 'without')}
        for o in homes.values(): (o/'root').mkdir(parents=True)
        off = homes['without']/'config'/'labconfig'
        off.mkdir(parents=True)
        (off/'page_config.json').write_text(json.dumps({'disabledExtensions': {'tlnb': True}}))
        with lab.server(sys.executable, homes['with']/'root', homes['with']) as one, lab.server(sys.executable, homes['without']/'root', homes['without']) as other:
            for url in (one, other): start(b, url)
            return [(start(b, one), start(b, other)) for _ in range(times)]


def first_panel(b):
    "Seconds from running the cell to the panel on the screen, on a kernel that is warm; and the modules that were not needed for it"
    from tlnb.gallery import new
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home/'root').mkdir()
        new('tabular', home/'root'/'first.ipynb')
        with lab.server(sys.executable, home/'root', home) as url:
            page = lab.Page(b.new_page(), url).open(wait=None)
            page.open_notebook('first.ipynb')
            page.page.evaluate('async () => { await jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({code: "1 + 1"}).done; }')
            begun = time.monotonic()
            page.run_cells('source', wait=False)
            page.page.locator('.tlnb-panel[role=region]').first.wait_for()
            return time.monotonic() - begun


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--times', type=int, default=40)
    a = p.parse_args()
    with lab.browser() as b:
        pairs = starts(b, a.times)
        seconds = [first_panel(b) for _ in range(3)]
    cost = [x - y for x,y in pairs]
    middle = statistics.median(cost)
    print(f'start of JupyterLab, {a.times} pairs: with {statistics.median(x for x,_ in pairs):.0f} ms, without {statistics.median(y for _,y in pairs):.0f} ms; '
        f'median difference {middle:+.0f} ms (quartiles {statistics.quantiles(cost, n=4)[0]:+.0f} to {statistics.quantiles(cost, n=4)[2]:+.0f})')
    print(f'first panel on a warm kernel: {", ".join(f"{o:.2f} s" for o in seconds)}')
    missed = [text for text,bad in {'the extension adds 50 ms or more': middle >= 50, 'the first panel takes 1 s or more': min(seconds) >= 1}.items() if bad]
    print(*(f'missed: {o}' for o in missed) if missed else ['every aim is met'], sep='\n')
    sys.exit(bool(missed))


if __name__ == '__main__': main()
