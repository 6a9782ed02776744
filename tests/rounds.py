"A folder of small pictures that are told apart at a glance, some of them in the wrong folder"
import numpy as np
from PIL import Image, ImageDraw

CLASSES = 'round','square'


def rounds(folder, n=60, wrong=(), split=False):
    "`n` pictures, every second round; those with a number in `wrong` lie in the other class's folder; with `split` every fourth is for the test. The folder"
    rng = np.random.default_rng(0)
    for i in range(n):
        image = Image.new('RGB', (48, 48), tuple(int(o) for o in rng.integers(225, 256, 3)))
        x,y,r = *rng.integers(18, 30, 2),rng.integers(9, 15)
        draw = ImageDraw.Draw(image)
        (draw.rectangle if i % 2 else draw.ellipse)([int(x - r), int(y - r), int(x + r), int(y + r)], fill='teal' if i % 2 else 'darkorange')
        to = folder/(('test' if i % 8 > 5 else 'train') if split else '')/CLASSES[(i % 2) ^ (i in wrong)]
        to.mkdir(parents=True, exist_ok=True)
        image.save(to/f'{i:03}.png')
    return folder
