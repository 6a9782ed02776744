"Kill trainings 100 times each and say how they came back: a line for each worker, or JSON with --json. Exit 1: one came back otherwise."
import argparse, json, os, subprocess, sys
from pathlib import Path

WORKERS = ['fit_tabular', 'fit_vision', 'adapt_loans']
LINE = ('| {worker} | killed {kills} times in {runs} runs ({after_a_save} after a save, {while_writing} while writing) '
        '| splits {same} | largest difference {max_difference:g} | {seconds} s |')

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('workers', nargs='*', default=WORKERS)
    parser.add_argument('--kills', type=int, default=100)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--json', action='store_true')
    args = parser.parse_args()
    tests,failed = Path(__file__).resolve().parent.parent, False
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(tests.parent)}
    for worker in args.workers:
        command = [sys.executable, '-W', 'ignore', str(tests/'killing.py'), worker, '--kills', str(args.kills), '--seed', str(args.seed)]
        p = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=env)
        failed |= p.returncode != 0
        last = (p.stdout.splitlines() or [''])[-1]
        if not last.startswith('{'): print(f'{worker}: failed'); continue
        figures = json.loads(last)
        print(json.dumps(figures) if args.json else LINE.format(**figures, same='the same' if figures['same_splits'] else 'DIFFER'), flush=True)
    sys.exit(failed)

if __name__ == '__main__': main()
