"""The long measurements, written to docs/benchmarks.md with machine and versions: what `make bench` runs.

    python tests/bench/run.py [--seeds 200] [--labels 40] [--kills 100] [--tables 5000] [--times 40] [--keep generator.jsonl]"""
import argparse, os, platform, subprocess, sys, time
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = 'tlnb', 'jupyterlab', 'torch', 'fastai', 'scikit-learn', 'numpy', 'pandas'


def measured(title, told, *command, **env):
    "One section: what was run, what it printed, how long it took; and whether it went well"
    start, line = time.time(), ' '.join(map(str, command))
    print(line, flush=True)
    p = subprocess.run([sys.executable, '-W', 'ignore', *map(str, command)], cwd=ROOT, text=True, stdout=subprocess.PIPE,
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT), **env})
    minutes = (time.time() - start)/60
    return f'## {title}\n\n{told}\n\n```\n$ python {line}\n{p.stdout.strip()}\n```\n\n{minutes:.0f} minutes.\n', p.returncode == 0


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (('seeds', 200), ('labels', 40), ('kills', 100), ('tables', 5000), ('times', 40)): p.add_argument(f'--{name}', type=int, default=default)
    p.add_argument('--keep', default='generator.jsonl', help='results that the generator has already')
    p.add_argument('--data', default=os.environ.get('TLNB_TEST_DATA', '../shared/data'), help='real data')
    a = p.parse_args()
    machine = f'{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}'
    head = ('# Benchmarks\n\n> What the comparison, the run folder, the reader of tables and the extension hold, measured\n\n'
        f'`make bench` writes this page. {machine}; ' + ', '.join(f'{o} {version(o)}' for o in PACKAGES) + '.\n')
    parts = [
        measured('Is the verdict right?', 'Pairs of regions in which transfer is planted to help (strong), to be useless (none) or to mislead (conflict). '
            'Shares of verdicts with exact 95 % bounds; then how often the interval of a gain holds the mean gain of all studies '
            '(each study has a source of its own, and an interval does not cover that another source would have been found).',
            'tests/bench/generator.py', '--seeds', a.seeds, '--labels', a.labels, '--keep', a.keep),
        measured('Does a killed run come back?', 'Trainings killed with SIGKILL at random moments, resumed, and compared with an unbroken one.',
            'tests/bench/kill.py', '--kills', a.kills),
        measured('Does a killed run of pictures come back?', 'Killed while pixels and features are computed, and while heads and whole networks are trained.', 'tests/bench/kill.py', 'adapt_parts', '--kills', a.kills),
        measured('Does any picture break it?', 'Picture files ruined at random are read, or named.', '-m', 'pytest', 'tests/test_vision_hostile.py', '-k', 'mutated', TLNB_FUZZ='3000'),
        measured('Are cached features fast?', 'The head of a network for photos, trained by fastai through the frozen network and by tlnb on features that are computed once, in one run.', 'tests/bench/cache.py', '--data', a.data),
        measured('Is a source that will hurt warned of?', 'Source-target pairs of pictures and tables; truth from the intervals of the arms.', 'tests/bench/negative.py', '--data', a.data),
        measured('What is the offline source worth?', 'Linear probes on `shapes` against random features, raw pixels and training from scratch; 5 draws of labels.', 'tests/bench/offline_source.py'),
        measured('Is a package light?', 'One item through a package and through fastai, and the time until the first answer.', 'tests/bench/latency.py'),
        measured('Does any table break it?', 'Tables ruined at random are read, split and assessed, or refused in one line.',
            '-m', 'pytest', 'tests/test_fuzz.py', '-k', 'test_mutated_tables', TLNB_FUZZ=str(a.tables)),
        measured('Is the extension quick?', 'JupyterLab is started in a browser with and without the extension, in turns; the first panel is timed from the click to the screen.',
            'tests/bench/panels.py', '--times', a.times)]
    (ROOT/'docs'/'benchmarks.md').write_text('\n'.join([head, *(text for text, _ in parts)]), encoding='utf-8')
    sys.exit(not all(well for _, well in parts))


if __name__ == '__main__': main()
