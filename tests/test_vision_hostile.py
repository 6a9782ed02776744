"""Whatever a picture file or a zip holds, it is read or named in one line: never a traceback, never a file outside, never a bomb.

`TLNB_FUZZ=3000` feeds so many pictures, `TLNB_FUZZ_SEED=17` one of them again."""
import io, json, os, struct, subprocess, sys, warnings, zipfile, zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tlnb import zips
from tlnb.dataset import load
from tlnb.errors import DataError, TlnbError
from tlnb.recipe import Recipe
from tlnb.vision import looks
from tlnb.vision.picture import open_picture, thumbnail

PICTURES = int(os.environ.get('TLNB_FUZZ', 300))
ONE = os.environ.get('TLNB_FUZZ_SEED')
KINDS = {'JPEG': '.jpg', 'PNG': '.png', 'GIF': '.gif', 'BMP': '.bmp', 'TIFF': '.tif', 'WEBP': '.webp'}


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))
    looks._known.clear()

def picture(rng):
    "Content of a good file, and its ending"
    a = rng.integers(0, 255, (int(rng.integers(1, 60)), int(rng.integers(1, 60)), 3), 'uint8')
    kind, mode = str(rng.choice(list(KINDS))), str(rng.choice(['RGB', 'L', 'P', '1', 'RGBA', 'LA', 'CMYK', 'I;16', 'F']))
    image = Image.fromarray((a[..., 0].astype('uint16')*257)) if mode == 'I;16' else Image.fromarray(a).convert(mode)
    exif = Image.Exif(); exif[0x0112] = int(rng.integers(0, 12))
    out = io.BytesIO()
    try: image.save(out, kind, **({'exif': exif} if kind in ('JPEG', 'PNG', 'WEBP', 'TIFF') else {}),
        **({'save_all': True, 'append_images': [image]*2} if kind in ('GIF', 'TIFF', 'WEBP') and mode == 'RGB' else {}))
    except (OSError, ValueError): out = io.BytesIO(); Image.fromarray(a).save(out, kind)
    return out.getvalue(), KINDS[kind]

def ruined(seed):
    "A picture file made worse, and its ending"
    rng = np.random.default_rng(seed)
    data, ending = picture(rng)
    b = bytearray(data)
    for _ in range(int(rng.choice([0, 1, 1, 2, 8, 40]))):
        i, n = int(rng.integers(max(1, len(b)))), int(rng.integers(1, 60))
        match rng.integers(8):
            case 0: b[i:i+1] = bytes([int(rng.integers(256))])
            case 1: del b[i:]
            case 2: del b[i:i+n]
            case 3: b[i:i] = b[i:i+n]
            case 4: b[:16] = picture(rng)[0][:16]
            case 5: b[min(i, 64):min(i, 64)+4] = b'\xff\xff\xff\x7f'
            case 6: ending = str(rng.choice([*KINDS.values(), '.heic', '.JPG']))
            case 7: b[i:i+n] = b'\0'*n
    return bytes(b), ending

def feed(seed, folder):
    "One picture: whether it was read; else it was named in one line"
    data, ending = ruined(seed)
    path = folder/f'{seed}{ending}'
    path.write_bytes(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            image = open_picture(path)
        assert image.mode == 'RGB' and min(image.size) > 0 and np.asarray(image).dtype == np.uint8 and thumbnail(image, 20).startswith('data:image/')
        good = True
    except DataError as e:
        assert '\n' not in str(e) and 10 < len(str(e)) < 500 and path.name in str(e)
        good = False
    assert bool(looks.look_at(path)['why']) != good
    return good

@pytest.mark.parametrize('start', range(0, PICTURES, 100))
def test_mutated_pictures(start, tmp_path):
    for seed in [int(ONE)] if ONE else range(start, min(PICTURES, start + 100)):
        try: feed(seed, tmp_path)
        except Exception as e: raise AssertionError(f'picture {seed} (TLNB_FUZZ_SEED={seed}): {type(e).__name__}: {e}') from e

def test_numbers_at_the_end_of_their_range(tmp_path):
    Image.fromarray(np.array([[-3e38, 3e38]], 'float32')).save(tmp_path/'x.tif')
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert np.asarray(open_picture(tmp_path/'x.tif'))[0, :, 0].tolist() == [0, 255]

def test_a_folder_of_mutated_pictures(tmp_path):
    "The same in a data set: what is not among the rows is named"
    for seed in range(120):
        data, ending = ruined(seed)
        path = tmp_path/'x'/'ab'[seed % 2]/f'{seed}{ending}'
        path.parent.mkdir(parents=True, exist_ok=True); path.write_bytes(data)
    d = load(Recipe.for_vision(data=str(tmp_path/'x')))
    note = next(o for o in d.notes if o.code == 'unreadable_file')
    assert len(d.frame) + note.count == 120 and 20 < len(d.frame) < 115 and '\n' not in str(note)
    named = {Path(o.split(' (')[0]).name for o in note.items}
    assert {f.name for f in (tmp_path/'x').rglob('*.*') if f.is_file()} == named | {Path(o).name for o in d.frame.path}
    json.dumps(d.assess().to_dict(), allow_nan=False)

def test_pillow_stays_as_it_was(tmp_path):
    from PIL import ImageFile
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)
    for seed in range(30): feed(seed, tmp_path)
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))


# ---- pictures that are right, and odd
def made(tmp_path, image, name, **options):
    image.save(tmp_path/name, **options)
    return np.asarray(open_picture(tmp_path/name))

TURNED = {2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: a.transpose(1, 0, 2), 6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2), 8: np.rot90}

@pytest.mark.parametrize('turn', TURNED)
@pytest.mark.parametrize('name', ['a.png', 'a.tif', 'a.webp'])
def test_the_camera_was_held_otherwise(tmp_path, turn, name):
    a = np.random.default_rng(0).integers(0, 255, (5, 9, 3), 'uint8')
    exif = Image.Exif(); exif[0x0112] = turn
    b = made(tmp_path, Image.fromarray(a), name, exif=exif, **({'lossless': True} if name == 'a.webp' else {}))
    assert (b == TURNED[turn](a)).all()

def test_sixteen_bits_are_scaled(tmp_path):
    a = np.array([[0, 256*100, 65535]], 'uint16')
    for name in ('a.png', 'a.tif'): assert made(tmp_path, Image.fromarray(a), name)[0, :, 0].tolist() == [0, 100, 255]
    assert made(tmp_path, Image.fromarray(np.array([[0, .5, 1, np.nan]], 'f4')), 'f.tif')[0, :, 0].tolist() == [0, 128, 255, 0]
    assert made(tmp_path, Image.fromarray(np.array([[-1000, 0, 1000]], 'i4')), 'i.tif')[0, :, 0].tolist() == [0, 128, 255]

def test_see_through_is_white(tmp_path):
    for mode, colour in (('RGBA', (0, 0, 0, 0)), ('LA', (0, 0))): assert (made(tmp_path, Image.new(mode, (3, 3), colour), 'a.png') == 255).all()
    p = Image.new('P', (3, 3), 0); p.putpalette([9, 9, 9]*256); assert (made(tmp_path, p, 'p.png', transparency=0) == 255).all()

def test_modes(tmp_path):
    assert (made(tmp_path, Image.new('1', (4, 4), 1), 'a.png') == 255).all()
    assert (made(tmp_path, Image.new('L', (4, 4), 7), 'a.png') == 7).all()
    assert abs(made(tmp_path, Image.new('CMYK', (8, 8), (0, 255, 255, 0)), 'a.jpg').astype(int) - [255, 0, 0]).max() < 3

def test_the_first_of_many(tmp_path):
    first, rest = Image.new('RGB', (4, 4), 'red'), [Image.new('RGB', (4, 4), 'blue')]*3
    for name in ('a.gif', 'a.tif', 'a.webp', 'a.png'): assert (made(tmp_path, first, name, save_all=True, append_images=rest, **({'lossless': True} if 'webp' in name else {})) == [255, 0, 0]).all(), name

def named(path, *parts):
    with pytest.raises(DataError) as e: open_picture(path)
    for o in (path.name, *parts): assert o in str(e.value), str(e.value)

def test_what_is_none(tmp_path):
    path = tmp_path/'a.png'
    named(path, 'no such picture'); named(tmp_path, 'it is a folder')
    path.write_bytes(b''); named(path, 'empty')
    path.write_text('<svg/>'); named(path, 'not a picture', 'JPEG, PNG')
    path.write_bytes(b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n'); named(path, 'not a picture')
    path.write_bytes(b'\x89PNG'); named(path, 'broken')
    os.mkfifo(tmp_path/'pipe.png'); named(tmp_path/'pipe.png', 'no such picture')
    for cell in (None, 3, np.zeros((2, 2, 2), 'uint8'), np.zeros((0, 4, 3), 'uint8'), np.zeros((4, 4), 'f4')):
        with pytest.raises(DataError, match='not a picture'): open_picture(cell)

def test_truncated_anywhere(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), 'uint8')).save(tmp_path/'a.jpg')
    data = (tmp_path/'a.jpg').read_bytes()
    for share in (.1, .5, .9, .99): (tmp_path/'a.jpg').write_bytes(data[:int(share*len(data))]); named(tmp_path/'a.jpg', 'broken')

def test_bombs(tmp_path):
    "A few kilobytes that would unpack to gigabytes"
    def chunk(kind, data): return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    for side in (10_000, 60_000):
        data = b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', side, side, 8, 0, 0, 0, 0)) + chunk(b'IDAT', zlib.compress(bytes(10_000_000), 9)) + chunk(b'IEND', b'')
        (tmp_path/'a.png').write_bytes(data)
        with warnings.catch_warnings(): warnings.simplefilter('error'); named(tmp_path/'a.png', 'too large')


# ---- zips
def zip_of(path, entries, **options):
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as zf:
        for name, data in entries: zf.writestr(name, data, **options)
    return path

def png(seed=0):
    out = io.BytesIO(); Image.fromarray(np.random.default_rng(seed).integers(0, 255, (9, 9, 3), 'uint8')).save(out, 'PNG')
    return out.getvalue()

def refused(path, *parts, **options):
    with pytest.raises(TlnbError) as e: load(Recipe.for_vision(data=str(path), **options))
    assert '\n' not in str(e.value) and len(str(e.value)) < 500
    for o in parts: assert o in str(e.value), str(e.value)
    cache = Path(os.environ['XDG_CACHE_HOME'])/'tlnb'/'zips'
    assert not cache.exists() or not [o for o in cache.rglob('*') if o.is_file() and o.suffix != '.lock']
    assert not [o for o in path.parent.iterdir() if o.name not in (path.name,)]

@pytest.mark.parametrize('name,what', [('../out.png', 'leads out'), ('a/../../out.png', 'leads out'), ('/tmp/out.png', 'absolute'), ('C:\\out.png', 'absolute'), ('..\\out.png', 'leads out'),
    ('a\\..\\..\\out.png', 'leads out'), ('\\\\host\\out.png', 'absolute')])
def test_entries_that_lead_out(tmp_path, name, what): refused(zip_of(tmp_path/'a.zip', [('a/1.png', png()), (name, png())]), what, 'out.png')

def test_links_in_a_zip(tmp_path):
    info = zipfile.ZipInfo('a/link.png'); info.create_system, info.external_attr = 3, 0o120777 << 16
    refused(zip_of(tmp_path/'a.zip', [('a/1.png', png()), (info, '/etc/passwd')]), 'is a link', 'a/link.png')

def test_doubled_entries(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        refused(zip_of(tmp_path/'a.zip', [('a/1.png', png()), ('a/1.png', png(1))]), 'stands twice', 'a/1.png')
    (tmp_path/'a.zip').unlink(); refused(zip_of(tmp_path/'b.zip', [('a/1.png', png()), ('a\\1.png', png(1))]), 'stands twice')

def test_zip_bombs(tmp_path, monkeypatch):
    refused(zip_of(tmp_path/'a.zip', [('a/1.bmp', bytes(150_000_000))]), 'too much')
    lies = (tmp_path/'a.zip').read_bytes().replace(struct.pack('<I', 150_000_000), struct.pack('<I', 1000)) # the headers say little
    (tmp_path/'a.zip').write_bytes(lies); refused(tmp_path/'a.zip', 'zip')
    monkeypatch.setattr(zips, 'MOST_BYTES', 1000)
    (tmp_path/'a.zip').unlink(); refused(zip_of(tmp_path/'b.zip', [(f'a/{i}.png', png(i)) for i in range(9)]), 'too much')

def test_too_many_entries(tmp_path, monkeypatch):
    monkeypatch.setattr(zips, 'MOST_ENTRIES', 99)
    refused(zip_of(tmp_path/'a.zip', [(f'a/{i}.png', b'') for i in range(100)]), 'too many entries')

def test_a_hundred_thousand_entries(tmp_path):
    with zipfile.ZipFile(tmp_path/'a.zip', 'w') as zf:
        for i in range(100_000): zf.writestr(f'n/{i}.txt', '')
        for i in range(24): zf.writestr(f'{"ab"[i % 2]}/{i}.png', png(i))
    d = load(Recipe.for_vision(data=str(tmp_path/'a.zip')))
    assert len(d.frame) == 24 and d.found['other files'] == 100_000

def test_locked_and_broken_zips(tmp_path):
    path = zip_of(tmp_path/'a.zip', [(f'a/{i}.png', png(i)) for i in range(4)])
    data = path.read_bytes()
    path.write_bytes(data.replace(b'PK\x01\x02\x14\x03\x14\0\0\0', b'PK\x01\x02\x14\x03\x14\0\1\0')); refused(path, 'encrypted', 'password')
    path.write_bytes(b''); refused(path, 'zip')
    path.write_bytes(b'no zip at all'); refused(path, 'not a zip file')
    for seed in range(40):
        rng, b = np.random.default_rng(seed), bytearray(data)
        for _ in range(int(rng.integers(1, 6))): b[int(rng.integers(len(b)))] = int(rng.integers(256))
        path.write_bytes(b if seed % 2 else b[:int(rng.integers(len(b)))])
        with pytest.raises(TlnbError) as e: load(Recipe.for_vision(data=str(path))) # one class: refused in any case
        assert '\n' not in str(e.value) and len(str(e.value)) < 500

def test_a_table_in_a_zip_names_nothing_outside(tmp_path):
    (tmp_path/'x').mkdir(); (tmp_path/'secret.png').write_bytes(png(99))
    rows = 'path,label\n' + ''.join(f'{i}.png,{"ab"[i % 2]}\n' for i in range(20)) + f'{tmp_path}/secret.png,a\n../../../secret.png,b\n'
    d = load(Recipe.for_vision(data=str(zip_of(tmp_path/'x'/'a.zip', [('t.csv', rows), *((f'{i}.png', png(i)) for i in range(20))]))))
    assert len(d.frame) == 20 and next(o for o in d.notes if o.code == 'unreadable_file').count == 2

def test_names_that_nobody_should_give(tmp_path):
    names = ['a\nb.png', '<script>.png', 'ä'*60 + '.png', ' x .png', "it's.png", '%2e%2e.png', '-rf.png', '"q".png']
    for i, o in enumerate(names*3): (tmp_path/'x'/f'c{i % 2}').mkdir(parents=True, exist_ok=True); (tmp_path/'x'/f'c{i % 2}'/f'{i}{o}').write_bytes(png(i))
    (tmp_path/'x'/'c0').joinpath(os.fsdecode(b'\xff\xfe.png')).write_bytes(png(77))
    (tmp_path/'x'/'c1'/'bad\n\x1b.png').write_bytes(b'')
    d = load(Recipe.for_vision(data=str(tmp_path/'x')))
    assert len(d.frame) == 25 and all(o.isprintable() and o.encode() for o in d.ids)
    assert '<script' not in d.assess()._repr_html_() and all('\n' not in str(o) for o in d.notes)
