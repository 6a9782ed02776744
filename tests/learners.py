"Small learners on made-up data: a table, pictures with augmentation, and PyTorch's own loaders."
import random

import numpy as np
import torch
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.learner import Learner
from fastai.metrics import accuracy
from torch import nn

from tlnb.training import Phase


class Rows(DataLoader):
    def __init__(self, cat, cont, y, **kwargs):
        super().__init__(range(len(y)), **kwargs)
        self.cat,self.cont,self.y = cat,cont,y
    def create_item(self, i): return i
    def create_batch(self, b): return self.cat[b], self.cont[b], self.y[b]

class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb,self.body = nn.Embedding(7, 4), nn.Sequential(nn.Linear(9, 24), nn.ReLU(), nn.BatchNorm1d(24), nn.Dropout(0.2))
        self.head = nn.Linear(24, 2)
    def forward(self, cat, cont): return self.head(self.body(torch.cat([self.emb(cat), cont], 1)))

def tabular(n=120, cbs=None):
    g = torch.Generator().manual_seed(3)
    cat,cont = torch.randint(0, 7, (n,), generator=g), torch.randn(n, 5, generator=g)
    y = ((cont[:, 0] + (cat > 3)) > 0.5).long()
    k = n*3//4
    dls = DataLoaders(Rows(cat[:k], cont[:k], y[:k], bs=16, shuffle=True), Rows(cat[k:], cont[k:], y[k:], bs=64))
    dls.n_inp = 2
    torch.manual_seed(5)
    return Learner(dls, Mixed(), loss_func=nn.CrossEntropyLoss(), metrics=accuracy, cbs=cbs,
                   splitter=lambda m: [list(o.parameters()) for o in (m.emb, m.body, m.head)])

class Pictures:
    "Images with augmentation that draws from every kind of generator, one of its own included"
    def __init__(self, x, y, augment): self.x,self.y,self.augment,self.rng = x,y,augment,np.random.default_rng(0)
    def __len__(self): return len(self.y)
    def __getitem__(self, i):
        x = self.x[i]
        if self.augment:
            if random.random() < 0.5: x = x.flip(2)
            x = torch.roll(x, int(np.random.randint(-1, 2)), 1) * (1 + 0.1*torch.randn(1)) + 0.1*float(self.rng.normal())
        return x, self.y[i]

def vision(n=48, cbs=None):
    g = torch.Generator().manual_seed(3)
    x,y = torch.randn(n, 3, 8, 8, generator=g), torch.arange(n) % 2
    x[y == 1, 0] += 0.5
    k = n*3//4
    dls = DataLoaders(DataLoader(Pictures(x[:k], y[:k], True), bs=12, shuffle=True), DataLoader(Pictures(x[k:], y[k:], False), bs=24))
    torch.manual_seed(5)
    body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
    return Learner(dls, nn.Sequential(body, nn.Sequential(nn.Dropout(0.3), nn.Linear(32, 2))), loss_func=nn.CrossEntropyLoss(), cbs=cbs,
                   splitter=lambda m: [list(o.parameters()) for o in m])

def torch_loaders(n=64, cbs=None):
    "PyTorch's own loaders, one of them with a generator"
    x = torch.randn(n, 4, generator=torch.Generator().manual_seed(0))
    rows = torch.utils.data.TensorDataset(x, (x.sum(1) > 0).long())
    train = torch.utils.data.DataLoader(rows, batch_size=16, shuffle=True, generator=torch.Generator().manual_seed(2))
    torch.manual_seed(5)
    return Learner(DataLoaders(train, torch.utils.data.DataLoader(rows, batch_size=64)), nn.Linear(4, 2), loss_func=nn.CrossEntropyLoss(), cbs=cbs)

PHASES = [Phase('head', 2, 0.01, -1), Phase('all', 6, 'find')]
LEARNERS = dict(tabular=tabular, vision=vision, torch_loaders=torch_loaders)

def same(a, b):
    a,b = a.model.state_dict(), b.model.state_dict()
    return all(torch.equal(a[k], b[k]) for k in a)
