"Kill trainings 100 times each and say how they came back: one line of a table for each worker, or JSON with --json."
import argparse, json, subprocess, sys
from pathlib import Path

WORKERS = ['fit_tabular', 'fit_vision']
LINE = ('| {worker} | killed {kills} times in {runs} runs ({after_a_save} after a save, {while_writing} while writing) '
        '| splits {same} | largest difference {max_difference:g} | {seconds} s |')

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('workers', nargs='*', default=WORKERS)
    parser.add_argument('--kills', type=int, default=100)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--json', action='store_true')
    args = parser.parse_args()
    script,failed = Path(__file__).parent.parent/'killing.py', False
    for worker in args.workers:
        p = subprocess.run([sys.executable, '-W', 'ignore', script, worker, '--kills', str(args.kills), '--seed', str(args.seed)], stdout=subprocess.PIPE, text=True)
        failed |= p.returncode != 0
        if not p.stdout: print(f'{worker}: failed'); continue
        figures = json.loads(p.stdout.splitlines()[-1])
        print(json.dumps(figures) if args.json else LINE.format(**figures, same='the same' if figures['same_splits'] else 'DIFFER'), flush=True)
    sys.exit(failed)

if __name__ == '__main__': main()
