"Edits of the recipe cell change the argument that is meant, and nothing else"
import ast

import pytest
from hypothesis import given, settings, strategies as st

from tlnb.cell import SHORT, Expression, argument, edit_cell, find_cell, key_of, literal, read_call, read_cell
from tlnb.errors import RecipeError
from tlnb.keys import KEYS
from tlnb.recipe import Recipe

NAMES = [argument(name) for name in KEYS]
text = st.text(st.characters(exclude_categories=['Cs'], exclude_characters='\0'), max_size=12)
number = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
scalar = text | number | st.booleans()
value = scalar | st.lists(scalar, max_size=4)
EXPRESSIONS = ["here/'é.csv'", "f'{a}#,)'", 'sorted(cols, key=lambda c: (c, 1))', "dict(a=1)['a']", '[x for x in cols if x]',
               "'a' + 'ü'", '{"a": 1}', "b'x'",
               'x if y else (\n  z  # why\n)']

def spellings(v):
    "The ways in which a person may write a literal"
    ways = [literal(v), repr(v), f'({v!r})', f'(\n  {v!r}  # in brackets, é\n)']
    if isinstance(v, str):
        ways += [f'{v[:3]!r} {v[3:]!r}', f'({v[:3]!r}  # two, parts\n   {v[3:]!r})']
        if ast.literal_eval(f"r'''{v}'''" if "'" not in v and '\\' not in v and '\r' not in v else '""') == v: ways.append(f"r'''{v}'''")
    elif isinstance(v, list): ways += [repr(tuple(v)), '[\n' + ''.join(f'      {o!r},\n' for o in v) + '   ]']
    elif isinstance(v, int) and not isinstance(v, bool): ways += [hex(v), f'{v:_}', f'- {-v}' if v < 0 else f'{v}']
    return st.sampled_from(ways)

@st.composite
def cells(draw):
    "(source, arguments as they read, comments): a recipe cell as people write them, with magics, comments and odd spacing"
    comments = []
    def comment():
        comments.append(f'# {len(comments)}é🎓, a=1) "')
        return comments[-1]
    blank = st.sampled_from(['', '', ' ', '  '])
    gap = lambda: draw(st.sampled_from(['', '', ' ', '  ', '\n', '\n    ', ' \\\n']))
    given, parts = {}, []
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=5))
    for i, name in enumerate(names):
        if draw(st.integers(0, 4)): given[name] = draw(value); code = draw(spellings(given[name]))
        else: code = draw(st.sampled_from(EXPRESSIONS)); given[name] = Expression(code)
        last = i == len(names)-1
        comma = '' if last and draw(st.booleans()) else ','
        before = f'  {comment()}\n ' if draw(st.integers(0, 5)) == 0 else draw(blank)
        after = f'  {comment()}\n    ' if draw(st.integers(0, 2)) == 0 else gap()
        parts.append(f'{name}{draw(blank)}={draw(blank)}{code}{before}{comma}{after}')
    head = draw(st.sampled_from(['', '%matplotlib inline\n', '!pip list\nfiles = !ls é\n', '"""ünï"""; ', "é = 'ß'; ",
        f'{comment()}\n\n', 'if 1:\n    pass\n']))
    call = draw(st.sampled_from(['recipe = Recipe.for_tabular', 'recipe = tlnb.Recipe.for_vision',
        'recipe: Recipe = Recipe.for_text', 'recipe=Recipe.for_tabular ']))
    opening = draw(st.sampled_from(['', '\n    ', ' ', f'  {comment()}\n  ']))
    tail = draw(st.sampled_from(['', '\n', f'  {comment()}\n', '\nrecipe', '; recipe\n', '\nadapt(load(recipe), data="x")  ']))
    source = f'{head}{call}({opening}{"".join(parts)}){tail}'
    if draw(st.integers(0, 5)) == 0 and "'''" not in source: source = source.replace('\n', '\r\n')
    return source, given, sorted((o for o in comments if o in source), key=source.index)

def same(a, b): return isinstance(a, Expression) and isinstance(b, Expression) or literal(a) == literal(b)

def check(source, given, comments):
    "`source` parses and reads as `given`; its comments are there, in their order"
    call = read_call(source)
    assert list(call.arguments) == list(given)
    for name in given: assert same(call.arguments[name], given[name]), (name, given[name], call.arguments[name], source)
    at = [source.find(o) for o in comments]
    assert -1 not in at and at == sorted(at), source
    return call


@settings(max_examples=400, deadline=None)
@given(cells(), st.data())
def test_edits(cell, data):
    source, given, comments = cell
    call = check(*cell)
    for _ in range(data.draw(st.integers(1, 5))):
        name = data.draw(st.sampled_from(list(given)) | st.sampled_from(NAMES) if given else st.sampled_from(NAMES))
        old, new = given.get(name), data.draw(value | st.none())
        if isinstance(old, Expression):
            with pytest.raises(RecipeError, match='expression'): edit_cell(source, {key_of(name): new})
            continue
        edited, before = edit_cell(source, {key_of(name): new}), source.encode()
        if name in given and new is not None:
            _, start, end, _ = call.spans[name]
            inside = [o for o in comments if o.encode() in before[start:end]] # a comment between the parts of a literal is part of it
            comments = [o for o in comments if o not in inside]
            if same(old, new): assert edited == source
            else: assert edited.encode() == before[:start] + literal(new).encode() + before[end:]
        elif name in given: comments = [o for o in comments if o.encode() not in before[call.spans[name][0]:call.spans[name][3]]]
        elif new is None: assert edited == source
        if name in given or new is not None: given = {k: v for k, v in {**given, name: new}.items() if v is not None}
        for other, span in call.spans.items(): # every other argument reads letter by letter as it did
            if other != name: assert before[span[0]:span[3]] in edited.encode()
        opening = before[:call.start].rstrip()
        assert edited.encode().startswith(opening) and edited.encode().endswith(before[call.end:])
        source, call = edited, check(edited, given, comments)

@settings(max_examples=300, deadline=None)
@given(value)
def test_literals(v):
    assert literal(ast.literal_eval(literal(v))) == literal(v)
    assert ast.literal_eval(literal(v)) == v

@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_never_a_traceback(junk):
    "Whatever stands in a cell, it is read, or refused in one line"
    for source in (junk, f'recipe = Recipe.for_tabular({junk})', f'{junk}\nrecipe = Recipe.for_tabular(data="x")'):
        try: edit_cell(source, {'data.path': 'y', 'train.epochs': 3})
        except RecipeError as e: assert len(str(e).splitlines()) == 1


CASES = [ # how the cell is written, the change, how it is written then
    ('recipe = Recipe.for_tabular()', {'data.path': 'x'}, 'recipe = Recipe.for_tabular(data="x")'),
    ('recipe = Recipe.for_tabular(data="x")', {'run.seed': -1, 'data.target': 'y'},
        'recipe = Recipe.for_tabular(data="x", seed=-1, target="y")'),
    ('recipe = Recipe.for_tabular(data="x",)', {'run.seed': 3}, 'recipe = Recipe.for_tabular(data="x", seed=3,)'),
    ('recipe = Recipe.for_tabular(\n    data="x",  # é\n)', {'run.seed': 3},
        'recipe = Recipe.for_tabular(\n    data="x",  # é\n    seed=3,\n)'),
    ('recipe = Recipe.for_tabular(\n    data="x"  # é\n)', {'run.seed': 3},
        'recipe = Recipe.for_tabular(\n    data="x",  # é\n    seed=3\n)'),
    ('recipe = Recipe.for_tabular(seed=1,\n    data="x")', {'data.target': 'y'},
        'recipe = Recipe.for_tabular(seed=1,\n    data="x",\n    target="y")'),
    ('recipe = Recipe.for_tabular(\r\n\tdata="x",\r\n)', {'run.seed': 3}, 'recipe = Recipe.for_tabular(\r\n\tdata="x",\r\n\tseed=3,\r\n)'),
    ('recipe = Recipe.for_tabular(\n    data="x",\n    seed=3,\n)', {'run.seed': None}, 'recipe = Recipe.for_tabular(\n    data="x",\n)'),
    ('recipe = Recipe.for_tabular(\n    data="x",\n    seed=3,\n)', {'data.path': None}, 'recipe = Recipe.for_tabular(\n    seed=3,\n)'),
    ('recipe = Recipe.for_tabular(\n    seed=3,  # mine\n)', {'run.seed': None}, 'recipe = Recipe.for_tabular(\n    # mine\n)'),
    ('recipe = Recipe.for_tabular(data="x", seed=3)', {'data.path': None}, 'recipe = Recipe.for_tabular(seed=3)'),
    ('recipe = Recipe.for_tabular(data="x", seed=3)', {'run.seed': None}, 'recipe = Recipe.for_tabular(data="x")'),
    ('recipe = Recipe.for_tabular(data="x")', {'data.path': None}, 'recipe = Recipe.for_tabular()'),
    ('# é\rrecipe = Recipe.for_tabular(seed=1)', {'run.seed': 2}, '# é\rrecipe = Recipe.for_tabular(seed=2)'),
    ("recipe = Recipe.for_tabular(seed=('é' 'ü'), data='x')  # é", {'data.path': 'ñ'},
        "recipe = Recipe.for_tabular(seed=('é' 'ü'), data=\"ñ\")  # é"),
]

@pytest.mark.parametrize('source, changes, expected', CASES)
def test_style(source, changes, expected):
    "An edit looks as if the author of the cell had made it"
    assert edit_cell(source, changes) == expected

@pytest.mark.parametrize('source, line', [
    ('x = 1', 'no recipe'), ('Recipe.for_tabular(data="x")', 'no recipe'),
    ('other = Recipe.for_tabular(data="x")', 'no recipe'),
    ('recipe = Recipe.for_tabular()\nrecipe = Recipe.for_tabular()', 'more than one recipe'),
    ('recipe = Recipe.for_tabular("x.csv")', 'without a name: "x.csv"'),
    ('recipe = Recipe.for_tabular(data="x"', 'not Python: line 1'),
    ('recipe = Recipe.for_tabular(\n  a="x"\n  b=2)', 'not Python: line 2'),
    ('recipe = Recipe.for_tabular(*a)', 'without a name: *a'),
    ('recipe = Recipe.for_tabular(**o)', 'options come from an expression: **o; write data in the recipe cell'),
    ('recipe = Recipe.for_tabular(data=x)', 'an expression is not edited: data=x; change it in the recipe cell'),
])
def test_refused(source, line):
    with pytest.raises(RecipeError) as e: edit_cell(source, {'data.path': 'y'})
    assert line in str(e.value) and len(str(e.value).splitlines()) == 1

def test_options_from_elsewhere():
    source = 'recipe = Recipe.for_tabular(data="x", **options)'
    assert read_cell(source) == {'data.path': 'x', '**': Expression('options')}
    assert edit_cell(source, {'data.path': 'y', 'run.seed': None}) == source.replace('"x"', '"y"')

def test_find():
    def code(source): return dict(cell_type='code', source=source)
    lines = ['# the recipe\n', 'recipe = Recipe.for_tabular(\n', '    data="x")\n'] # as a file holds it
    nb = dict(cells=[dict(cell_type='markdown', source='recipe = Recipe.for_tabular()'), code('%%bash\nls | wc'), code('%%time\nx = 1'),
        code('# recipe = Recipe.for_tabular()\nprint("recipe = Recipe.for_tabular()")\nsecond = Recipe.for_text()'), code(lines), code('')])
    assert find_cell(nb) == 4
    for cells, line in (([], 'no recipe cell'), (nb['cells'][:4], 'no recipe cell'), (nb['cells']+[code(lines)], 'cell 5 and cell 7'),
                        ([code(lines*2)], 'more than one recipe: cell 1;'), ([code('recipe = Recipe.for_tabular(')], 'line 1 of cell 1')):
        with pytest.raises(RecipeError) as e: find_cell(dict(cells=cells))
        assert line in str(e.value)

def test_recipe_reads_what_was_edited():
    source = Recipe.for_tabular(data='a', target='b').to_cell()
    changes = {'data.target': 'c"\n\\é', 'data.drop': ["it's", ''], 'train.lr': 1e-5, 'run.offline': False, 'data.path': None}
    assert Recipe.from_cell(edit_cell(source, changes)) == Recipe.for_tabular(target='b').with_(changes)

def test_names():
    assert {key_of(argument(name)) for name in KEYS} == set(KEYS) and {argument(key_of(name)) for name in SHORT} == set(SHORT)
    for name in ('transfer_strategy', 'data_path', 'run_seed'):
        with pytest.raises(RecipeError, match='did you mean'): key_of(name)
