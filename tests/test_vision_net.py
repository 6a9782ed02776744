"Networks of three libraries: body, layer groups and head, and the features that the library's own classifier would see."
import json

import pytest
import torch

from tlnb.errors import SourceError
from tlnb.head import Head
from tlnb.vision.net import body_state, build, check_size, has_norm

NETS = [('tlnb', 'tiny', 64), *[('torchvision', o, 64) for o in ('resnet18', 'squeezenet1_0', 'squeezenet1_1', 'mobilenet_v2', 'mobilenet_v3_small', 'efficientnet_b0', 'densenet121',
    'convnext_tiny', 'regnet_y_400mf', 'shufflenet_v2_x0_5', 'mnasnet0_5')], ('timm', 'resnet18', 64), ('timm', 'vit_tiny_patch16_224', 96), ('timm', 'mobilenetv3_small_050', 64),
    ('timm', 'convnext_atto', 64), ('timm', 'regnety_002', 64), ('timm', 'deit_tiny_distilled_patch16_224', 64)]

def net(library, name, n_out=3, **more):
    torch.manual_seed(0)
    return build(dict(library=library, name=name, n_out=n_out, dropout=.1, **more))

@pytest.mark.parametrize('library,name,size', NETS)
def test_cut_into_groups_and_head(library, name, size):
    model = net(library, name)
    assert json.loads(json.dumps(model.arch)) == model.arch and isinstance(model.head, Head)
    groups = model.groups()
    every = [id(p) for g in groups for p in g]
    assert 2 <= len(groups) <= 5 and all(groups) and sorted(every) == sorted(map(id, model.parameters()))
    assert [id(p) for p in groups[-1]] == [id(p) for p in model.head.parameters()]
    x = torch.rand(2, 3, size, size)
    for p in (p for g in groups[:-1] for p in g): p.requires_grad_(False)
    found = model.eval().features(x)
    assert found.shape == (2, model.n_features) and torch.equal(model(x), model.head(found))
    model(x).sum().backward()
    assert all(p.grad is None for g in groups[:-1] for p in g) and all(p.grad is not None for p in groups[-1])
    assert not any(k.startswith('head.') for k in body_state(model.state_dict()))
    again = net(library, name, n_out=3)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.eval()(x), model(x))

@pytest.mark.parametrize('name', ['resnet18', 'squeezenet1_1', 'mobilenet_v2', 'mobilenet_v3_small', 'densenet121', 'alexnet', 'shufflenet_v2_x0_5', 'swin_t'])
def test_features_are_what_the_librarys_classifier_sees(name):
    from torchvision.models import get_model
    model,whole = net('torchvision', name).eval(),get_model(name, weights=None).eval()
    left = whole.load_state_dict(model.body.state_dict(), strict=False)
    assert not left.unexpected_keys and {k.rpartition('.')[0] for k in left.missing_keys} == {model.top}
    seen = []
    whole.get_submodule(model.top).register_forward_hook(lambda m, x, out: seen.append(x[0]))
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad(): whole(x); found = model.features(x)
    was = seen[0].mean((2, 3)) if seen[0].ndim == 4 else seen[0]
    assert torch.allclose(found, was, atol=1e-5)

def test_a_transformer_takes_any_size_and_says_the_same_at_its_own():
    from torchvision.models import get_model
    model = net('torchvision', 'vit_b_32').eval()
    whole = get_model('vit_b_32', weights=None).eval()
    whole.load_state_dict(model.body.state_dict(), strict=False)
    whole.heads = torch.nn.Identity()
    x = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        assert torch.allclose(model.features(x), whole(x), atol=1e-5)
        assert model.features(x[:,:,:90,:90]).shape == (1, 768)
    assert [len(o) > 0 for o in model.groups()] == [True]*5

def test_names_that_no_library_has():
    with pytest.raises(SourceError, match="did you mean 'resnet18'"): net('torchvision', 'resnet-18')
    with pytest.raises(SourceError, match='timm has no such network'): net('timm', 'vgg')
    with pytest.raises(SourceError, match="did you mean 'torchvision'"): net('torch-vision', 'resnet18')

def test_a_size_that_a_network_cannot_take():
    model = net('timm', 'mixer_s32_224')
    check_size(model, 224)
    with pytest.raises(SourceError, match='takes no pictures of this size: mixer_s32_224, 64 pixels'): check_size(model, 64)

def test_head_on_one_scale():
    head = Head(4, 2)
    x = torch.randn(50, 4)*torch.tensor([1., 20., .05, 1.]) + 7
    x[:,3] = 5 # says nothing
    head.standardise(x)
    z = (x - head.mean)/head.std
    assert torch.allclose(z[:,:3].std(0, unbiased=False), torch.ones(3), atol=.2) and z.isfinite().all() and z.abs().max() < 10
    assert not any(p.requires_grad for p in head.buffers()) and len(has_norm(net('tlnb', 'tiny'))) == 12
