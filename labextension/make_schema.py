"""Writes what the extension repeats of the library: the settings schema (settings.ini and tlnb.keys) and the version (tlnb/__init__.py).
`make sync` runs it; tests/test_labextension.py holds that it was run."""
import json, re, sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from tlnb import __version__  # noqa: E402
from tlnb.keys import DEFAULTS, KEYS, parse  # noqa: E402

TYPES = {int: 'integer', float: 'number', bool: 'boolean', str: 'string'}


def item(key):
    "Schema of one value"
    words = list(key.words)
    if key.item is str: return {'type': 'string', **({'enum': words} if words else {})}
    plain = {'type': TYPES[key.item]}
    if key.lo is not None: plain['minimum'] = key.lo
    if key.hi is not None: plain['maximum'] = key.hi
    return {'anyOf': [plain, {'type': 'string', 'enum': words}]} if words else plain


def prop(name):
    "Schema of one setting: its comment, what it may hold, its default"
    key = KEYS[name]
    text, help = DEFAULTS[name]
    kind = {'type': 'array', 'items': item(key)} if key.many else item(key)
    return {'title': name, 'description': help, **kind, 'default': parse(key, text)}


def schema():
    "The settings of JupyterLab: one property for each line of settings.ini"
    about = 'Defaults for new notebooks. What you change here is written into the recipe cell of each notebook that you then make with New from Template: nothing is hidden.'
    return {'title': 'Transfer Learning', 'description': about, 'jupyter.lab.setting-icon': 'tlnb:transfer', 'jupyter.lab.setting-icon-label': 'Transfer Learning',
        'type': 'object', 'properties': {name: prop(name) for name in DEFAULTS}, 'additionalProperties': False}


def files():
    "Each generated file with its text"
    package = (HERE/'package.json').read_text(encoding='utf-8')
    return {
        HERE/'schema'/'plugin.json': json.dumps(schema(), indent=2, ensure_ascii=False) + '\n',
        HERE/'package.json': re.sub(r'(?m)^(  "version": )"[^"]*"', rf'\g<1>"{__version__}"', package, count=1),
        HERE/'src'/'version.ts': f"// Written by make_schema.py from tlnb/__init__.py.\nexport const VERSION = '{__version__}';\n"}


if __name__ == '__main__':
    for path, text in files().items():
        if not path.exists() or path.read_text(encoding='utf-8') != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding='utf-8')
