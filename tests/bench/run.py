"""The long measurements, written to docs/benchmarks.md with machine and versions: what `make bench` runs.

    python tests/bench/run.py [--seeds 200] [--labels 40] [--kills 100] [--tables 5000] [--times 40] [--keep generator.jsonl] [--only cache,latency]"""
import argparse, os, platform, subprocess, sys, time
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = 'tlnb', 'jupyterlab', 'torch', 'fastai', 'scikit-learn', 'numpy', 'pandas'


def measured(title, told, *command, **env):
    "One section: what was run, what it printed, how long it took; and whether it went well"
    start, line = time.time(), ' '.join(map(str, command))
    print(line, flush=True)
    p = subprocess.run([sys.executable, '-W', 'ignore', *map(str, command)], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT), **env})
    minutes, before = (time.time() - start)/60, ''.join(f'{k}={v} ' for k, v in env.items())
    return f'## {title}\n\n{told}\n\n```\n$ {before}python {line}\n{p.stdout.strip()}\n```\n\n{minutes:.1f} minutes; {MADE}.\n', p.returncode == 0


MADE = ', '.join([f'{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}', *(f'{o} {version(o)}' for o in PACKAGES)])
HEAD = """# Benchmarks

> What the comparison, the run folder, the readers, the features, the packages and the extension hold, measured

`make bench` writes this page, or one section of it: `make bench ONLY=cache`.
"""


KEPT = 'What was measured is kept line by line, with the processor time that it took, and read again for this page.'

def sections(a):
    "Name of each section -> title, what it is about, command, environment"
    encoders = 'tests/bench/encoders.py', '--data', a.data, '--keep', 'encoders.jsonl'
    return {
        'generator': ('Is the verdict right?', 'Pairs of regions in which transfer is planted to help (strong), to be useless (none) or to mislead (conflict). '
            'Shares of verdicts with exact 95 % bounds; then how often the interval of a gain holds the mean gain of all studies '
            '(each study has a source of its own, and an interval does not cover that another source would have been found).',
            'tests/bench/generator.py', '--seeds', a.seeds, '--labels', a.labels, '--keep', a.keep),
        'kill': ('Does a killed run come back?', 'Trainings killed with SIGKILL at random moments, resumed, and compared with an unbroken one.',
            'tests/bench/kill.py', '--kills', a.kills),
        'kill_pictures': ('Does a killed run of pictures come back?', 'Killed while pixels and features are computed, and while heads and whole networks are trained.',
            'tests/bench/kill.py', 'adapt_parts', '--kills', a.kills),
        'tables': ('Does any table break it?', 'Tables ruined at random are read, split and assessed, or refused in one line.',
            '-m', 'pytest', '-q', 'tests/test_fuzz.py', '-k', 'test_mutated_tables', dict(TLNB_FUZZ=str(a.tables))),
        'pictures': ('Does any picture break it?', 'Picture files ruined at random are read, or named.',
            '-m', 'pytest', '-q', 'tests/test_vision_hostile.py', '-k', 'mutated', dict(TLNB_FUZZ='3000')),
        'texts': ('Does any text break it?', 'Files of texts ruined at random are read, split, assessed and shown, or refused in one line; odd texts are cleaned.',
            '-m', 'pytest', '-q', 'tests/test_text_hostile.py', '-k', 'mutated', dict(TLNB_FUZZ='3000')),
        'cache': ('Are cached features fast?', 'The head of a network for photos, trained by fastai through the frozen network and by tlnb on features that are computed once, in one run.',
            'tests/bench/cache.py', '--data', a.data),
        'embedding': ('Are texts of about the same length read together?', 'Vectors of 5,000 texts, short and long: batches of about the same length against batches as the texts come, each padded to its longest, '
            'in one run; the vectors have to be the same.', 'tests/bench/embedding.py', '--data', a.data),
        'encoders': ('What is a real encoder worth at few labels?', f'MiniLM on sentences about films and on questions: frozen features against words that are counted, at 50, 100 and 200 labels (five draws). {KEPT}',
            *encoders, '--only', 'few'),
        'encoders_whole': ('What does a real encoder come to with all labels?', f'The whole network trained on nine tenths of rt-polarity. {KEPT}', *encoders, '--only', 'whole'),
        'encoders_domains': ('Does a model of books help with kitchen things?', f'A model trained on reviews of books: unchanged, fine-tuned on 100 reviews of kitchen things, and adapted to their texts without labels before that. {KEPT}',
            *encoders, '--only', 'domains'),
        'bias': ('Does the bias check say what is true?', 'Simulated predictions with known gaps; a disparity planted in `loans`, a term planted in `tickets`; Adult with each mitigation; time and memory beside the bootstrap '
            'of fairlearn in one run.', 'tests/bench/bias.py', '--data', a.data, '--keep', 'bias.jsonl'),
        'explain': ('Are explanations true, the same as shap’s own, and fast?', 'Planted causes (loans, chalk on parts, a name beneath tickets) and twins without them; the same values from shap, called on '
            'functions of fastai as its users write it, with the seconds of both in one run; memory. `first`: share of explained items that contain the plant in which it counts most; `falls`: of the accuracy without the plant. '
            'The plants in `loans` and tickets are stronger than by default: `first_by_the_rule_1` says how often the cause of `loans` is first by the rule itself that drew the data at the usual strength, which no explainer can exceed.',
            'tests/bench/explain.py'),
        'negative': ('Is a source that will hurt warned of?', 'Source-target pairs of pictures and tables; truth from the intervals of the arms. The margin by which the raw input has to be ahead '
            'is chosen on the pairs of the other targets.', 'tests/bench/negative.py', '--data', a.data, '--seeds', 3),
        'offline_source': ('What is the offline source worth?', 'Linear probes on `shapes` against random features, raw pixels and training from scratch; 5 draws of labels.', 'tests/bench/offline_source.py'),
        'latency': ('Is a package light?', 'One item through a package and through fastai, the time until the first answer, and the judged rows in a fresh environment that holds the wheel and what it asks for.', 'tests/bench/latency.py'),
        'panels': ('Is the extension quick?', 'JupyterLab is started in a browser with and without the extension, in turns; the first panel is timed from the click to the screen.',
            'tests/bench/panels.py', '--times', a.times)}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (('seeds', 200), ('labels', 40), ('kills', 100), ('tables', 5000), ('times', 40)): p.add_argument(f'--{name}', type=int, default=default)
    p.add_argument('--keep', default='generator.jsonl', help='results that the generator has already')
    p.add_argument('--data', default=os.environ.get('TLNB_TEST_DATA', '../shared/data'), help='real data')
    p.add_argument('--only', default='', help='names of sections, comma separated; the others stay as they are')
    a = p.parse_args()
    found, page = sections(a), ROOT/'docs'/'benchmarks.md'
    only = [o for o in a.only.split(',') if o] or list(found)
    if unknown := set(only) - set(found): p.error(f'no such section: {", ".join(sorted(unknown))}; there are {", ".join(found)}')
    def said(): return {part.split('\n')[0]: '## ' + part.rstrip() + '\n' for part in page.read_text(encoding='utf-8').split('\n## ')[1:]} if page.exists() else {}
    fine = True
    for name in only:
        title, told, *command = found[name]
        env = command.pop() if isinstance(command[-1], dict) else {}
        section, well = measured(title, told, *command, **env)
        there, fine = said() | {title: section}, fine and well # what another run has written meanwhile stays
        page.write_text('\n'.join([HEAD, *(there[t] for t, *_ in found.values() if t in there)]), encoding='utf-8')
    sys.exit(not fine)


if __name__ == '__main__': main()
