"Networks of other libraries: listed, found, checked, and opened without running what is in a file."
import json, os, pickle, socket, struct, sys, zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from tlnb.errors import SourceError
from tlnb.recipe import Recipe
from tlnb.registry import SHIPPED, known, sources
from tlnb.source import find_source, load_fitted
from tlnb.vision import weights
from tlnb.vision.weights import differences, describe_known, named_source, network, open_source, read_state

PHOTOS = {'parrot.jpg': {'macaw'}, 'hot_dog.jpg': {'hotdog'}, 'bird.bmp': {'chickadee'}, 'cat.bmp': {'tabby', 'tiger cat', 'Egyptian cat'},
    'dog_test_0.bmp': {'soft-coated wheaten terrier', 'toy poodle', 'miniature poodle'}}

@pytest.fixture(autouse=True)
def own_folders(monkeypatch, tmp_path):
    "No test sees or fills the caches of whoever runs it"
    for key,folder in dict(XDG_CACHE_HOME='xdg', TORCH_HOME='torch', HF_HOME='hf').items(): monkeypatch.setenv(key, str(tmp_path/'home'/folder))
    for key in ('HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE'): monkeypatch.delenv(key, raising=False)

@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_, **__): raise AssertionError('the network was touched')
    for name in ('socket', 'create_connection', 'getaddrinfo'): monkeypatch.setattr(socket, name, refuse)

def recipe(**kw): return Recipe.for_vision(**kw).resolve()

def random_net(library, name, n, seed=0):
    "A network of a library whose every tensor says something"
    torch.manual_seed(seed)
    net = weights._library_net(library, name, n).eval()
    with torch.no_grad():
        for k,v in net.state_dict().items():
            if v.is_floating_point(): v.uniform_(.5, 1.5) if k.endswith('running_var') else v.normal_(0, .05)
    return net

def refused(path, **kw):
    with pytest.raises(SourceError) as e: named_source(str(path), recipe(**kw))
    assert '\n' not in str(e.value)
    return str(e.value)


# the list

def test_the_list_is_what_the_libraries_say():
    pytest.importorskip('timm')
    assert describe_known() == [o for o in json.loads((SHIPPED/'sources.json').read_text()) if o['modality'] == 'vision'], 'run tlnb.vision.weights.write_known()'

def test_each_entry_says_what_one_needs_to_choose():
    found = [o for o in known() if o.modality == 'vision']
    assert 25 <= len(found) == len({o.name for o in found})
    for o in found:
        assert o.parameters > 0 and o.size_bytes > 2*o.parameters and o.input_size >= 160 and o.licence and o.trained_on and 2012 < o.year < 2100 and o.limits and o.arch, o
        assert not o.offline and Path(o.file).name in o.cure and 'run.offline = false' in o.cure
    assert {'resnet18', 'mobilenet_v2', 'convnext_tiny', 'vit_b_16', 'squeezenet1_0'} <= {o.name for o in found}

def test_what_is_here_comes_first():
    file = Path(next(o for o in known() if o.name == 'vit_b_16').file)
    file.parent.mkdir(parents=True)
    file.touch()
    found = sources('vision')
    assert [o.name for o in found if o.offline][-1] == 'vit_b_16'
    assert [(not o.offline, o.name) for o in found] == sorted((not o.offline, o.name) for o in found)

@pytest.mark.parametrize('name, place', [('resnet18', 'torch/hub/checkpoints/resnet18-f37072fd.pth'), ('resnet18', 'xdg/tlnb/sources/resnet18-f37072fd.pth'),
    ('lcnet_050.ra2_in1k', 'xdg/tlnb/sources/lcnet_050.ra2_in1k.safetensors'), ('lcnet_050.ra2_in1k', 'hf/hub/models--timm--lcnet_050.ra2_in1k/snapshots/abc/model.safetensors')])
def test_weights_are_found_where_they_may_lie(name, place, tmp_path):
    file = tmp_path/'home'/place
    file.parent.mkdir(parents=True)
    file.touch()
    [found] = [o for o in sources('vision') if o.name == name]
    assert found.offline and found.file == str(file) and found.cure == ''

def test_the_command_lists_them(tlnb, tmp_path):
    found = json.loads(tlnb('sources', '--modality', 'vision', '--json', cwd=tmp_path).stdout)
    [one] = [o for o in found if o['name'] == 'squeezenet1_0']
    assert one['arch'] == dict(library='torchvision', name='squeezenet1_0') and one['input_size'] == 224 and one['sha256'] == 'b66bff10' and not one['offline']
    said = tlnb('sources', cwd=tmp_path).stdout
    assert 'resnet18.a1_in1k' in said and 'run.offline = false' in said.splitlines()[-1]


# by name

def test_offline_says_what_to_put_where():
    for name in ('resnet18', 'torchvision:resnet18', 'timm:lcnet_050', 'torchvision:vgg11'):
        said = refused(name)
        assert 'the weights are not here, and run.offline = true' in said and '/sources/' in said and '\n' not in said
    with pytest.raises(SourceError, match=r'put resnet18-f37072fd\.pth at .*/tlnb/sources/resnet18-f37072fd\.pth'):
        find_source(recipe(source='resnet18'), SimpleNamespace(modality='vision', task='classification'), None)

@pytest.mark.parametrize('name, line', [('torchvision:resnet19', "did you mean 'resnet18'?"), ('timm:resnet18.a1_in1', 'no weights|did you mean'), ('torchvision:resnet18.V9', 'known: IMAGENET1K_V1')])
def test_a_wrong_name_is_answered_with_the_nearest(name, line):
    with pytest.raises(SourceError, match=line): named_source(name, recipe())

def test_fetched_once_by_the_library(monkeypatch, tmp_path):
    net,asked = random_net('torchvision', 'squeezenet1_1', 1000),[]
    def load(url, folder, **kw):
        asked.append((url.rsplit('/')[-1], kw['check_hash'], kw['weights_only']))
        Path(folder).mkdir(parents=True)
        torch.save(net.state_dict(), Path(folder)/asked[0][0])
    monkeypatch.setattr(torch.hub, 'load_state_dict_from_url', load)
    source = named_source('squeezenet1_1', recipe(run_offline=False))
    assert asked == [('squeezenet1_1-b8a52dc0.pth', True, True)] and source.offline and str(tmp_path) in source.file
    named_source('squeezenet1_1', recipe())
    assert len(asked) == 1
    with pytest.raises(SourceError, match='not the published ones.*not b8a52dc0'): open_source(source) # these are random
    assert len(open_source(replace(source, sha256='')).classes) == 1000

def test_fetching_that_fails_is_one_line(monkeypatch):
    def load(*_, **__): raise OSError('no route\nto host')
    monkeypatch.setattr(torch.hub, 'load_state_dict_from_url', load)
    said = refused('resnet18', run_offline=False)
    assert 'could not be fetched: resnet18 (no route to host); put resnet18-f37072fd.pth at' in said
    hub = pytest.importorskip('huggingface_hub')
    monkeypatch.setattr(hub, 'hf_hub_download', load)
    assert 'put model.safetensors of timm/lcnet_050.ra2_in1k at' in refused('lcnet_050.ra2_in1k', run_offline=False)

def test_the_hub_names_a_file_after_its_content(tmp_path):
    pytest.importorskip('timm')
    root = tmp_path/'home/hf/hub/models--timm--lcnet_050.ra2_in1k'
    for o in ('blobs', 'snapshots/abc'): (root/o).mkdir(parents=True)
    save_file(random_net('timm', 'lcnet_050', 1000).state_dict(), root/'blobs/new')
    for digest,line in (('0'*64, 'not the published ones'), (weights.sha_of(root/'blobs/new'), None)):
        (root/'snapshots/abc/model.safetensors').unlink(missing_ok=True)
        (root/'blobs'/digest).write_bytes((root/'blobs/new').read_bytes())
        (root/'snapshots/abc/model.safetensors').symlink_to(root/'blobs'/digest)
        source = named_source('lcnet_050.ra2_in1k', recipe())
        if line: pytest.raises(SourceError, open_source, source).match(line)
        else: assert open_source(source).classes[0] == 'tench'

def test_a_package_that_carries_a_model_is_not_imported(tmp_path, monkeypatch):
    package = tmp_path/'carrier_of_loans'
    package.mkdir()
    (package/'__init__.py').write_text('raise SystemExit("imported")')
    (package/'model').mkdir()
    for o in ('model.json', 'model.safetensors'): (package/'model'/o).write_bytes((SHIPPED/'loans'/o).read_bytes())
    monkeypatch.syspath_prepend(tmp_path)
    table = SimpleNamespace(modality='tabular', task='classification', kind=None)
    found = find_source(Recipe.for_tabular(source='carrier_of_loans').resolve(), table, None)
    assert (found.name, found.origin, found.folder) == ('carrier_of_loans', 'an installed package', str(package/'model')) and 'carrier_of_loans' not in sys.modules
    with pytest.raises(SourceError, match='no such source'): find_source(Recipe.for_tabular(source='json').resolve(), table, None)
    with pytest.raises(SourceError, match='a source for vision data'): find_source(Recipe.for_tabular(source='resnet18').resolve(), table, None)


# files

@pytest.mark.parametrize('name', ['resnet18', 'squeezenet1_1', 'mobilenet_v3_small', 'densenet121', 'shufflenet_v2_x1_0', 'timm:lcnet_050', 'timm:vit_tiny_patch16_224', 'timm:efficientvit_b0'])
def test_it_says_what_its_library_says(name, tmp_path):
    "With a head of 7 classes, out of a file, and again after it was kept as a model folder"
    if name.startswith('timm'): pytest.importorskip('timm')
    net,file = random_net(**{k: v for k,v in network(name).items()}, n=7),tmp_path/('w.safetensors' if 'timm' in name else 'w.pth')
    save_file(net.state_dict(), file) if 'timm' in name else torch.save(net.state_dict(), file)
    source = named_source(str(file), recipe(arch=name))
    fitted = open_source(source)
    assert source.parameters == sum(o.numel() for o in net.parameters()) and source.offline and fitted.classes == [f'output {i}' for i in range(7)] and fitted.prep.size == source.input_size == 224
    x = torch.rand(2, 3, 224, 224)
    with torch.no_grad():
        wanted = net(x)
        assert (fitted.model(x) - wanted).abs().max() < 1e-4*max(1, wanted.abs().max())
        again = load_fitted(fitted.save(tmp_path/'kept'))
        assert torch.equal(again.model(x), fitted.model(x)) and again.prep == fitted.prep

def test_whatever_a_script_wrapped_around_them(tmp_path):
    state = random_net('torchvision', 'squeezenet1_1', 3).state_dict()
    for n,wrapped in enumerate([dict(state_dict={f'module.{k}': v for k,v in state.items()}, epoch=3), dict(model=state), {f'module.{k}': v.half() for k,v in state.items()}]):
        torch.save(wrapped, tmp_path/f'{n}.pth')
        assert set(read_state(tmp_path/f'{n}.pth')) == set(state)
        assert open_source(named_source(str(tmp_path/f'{n}.pth'), recipe(arch='squeezenet1_1'))).classes == ['output 0', 'output 1', 'output 2']

@pytest.mark.parametrize('file, arch', [('squeezenet1_0_deepcompression.pth', 'squeezenet1_0'), ('mobilenet_v2_coral_dequant.pth', 'mobilenet_v2')])
def test_real_weights_know_real_photos(file, arch, data_dir):
    path = data_dir/'weights'/file
    fitted = open_source(named_source(str(path), recipe(arch=arch)))
    rows = pd.DataFrame(dict(path=[str(data_dir/'photos'/o) for o in PHOTOS]))
    said = dict(zip(PHOTOS, [fitted.classes[i] for i in fitted.score(rows).argmax(1)]))
    assert all(v in PHOTOS[k] for k,v in said.items()), said
    net = weights._library_net('torchvision', arch, 1000).eval()
    net.load_state_dict(torch.load(path, weights_only=True))
    x = fitted.prep.normalise(torch.as_tensor(fitted.prep.encode(rows)))
    with torch.no_grad(): assert (net(x) - fitted.model(x)).abs().max() < 1e-4

def test_a_file_without_its_network(data_dir):
    path = data_dir/'weights'/'squeezenet1_0_deepcompression.pth'
    assert refused(path).endswith('set source.arch = squeezenet1_0')
    said = refused(path, arch='squeezenet1_1')
    assert 'tensors differ: features.0.weight (96x3x7x7 in the file, 64x3x3x3 in the network), ' in said and said.endswith('set source.arch = squeezenet1_0') and said.count('in the network') == 3

def test_other_things_that_do_not_fit(tmp_path):
    state = random_net('torchvision', 'squeezenet1_1', 3).state_dict()
    file = tmp_path/'w.pth'
    def keep(s): torch.save(s, file)
    keep({k: v for k,v in state.items() if not k.startswith('classifier')})
    assert open_source(named_source(str(file), recipe(arch='squeezenet1_1'))).classes == []     # features alone are a source too
    keep(state | {'features.0.bias': torch.full([64], float('nan'))})
    assert 'not finite: ' in refused(file, arch='squeezenet1_1')
    keep(state | {'more': torch.zeros(3)})
    assert '1 tensors differ: more (3 in the file, missing in the network)' in refused(file, arch='squeezenet1_1')
    assert differences(state | {'features.0.weight': torch.zeros(1)}, network('squeezenet1_1')) == [('features.0.weight', (1,), (64, 3, 3, 3))]
    assert 'no such network' in refused(file, arch='squeezenet9')


# hostile files

class Code:
    def __reduce__(self): return os.system, ('touch pwned',)

def huge_header(claim): # a header that claims more than there is
    head = json.dumps({'w': dict(dtype='F32', shape=[claim], data_offsets=[0, 4*claim])}).encode()
    return struct.pack('<Q', len(head)) + head + bytes(64)

def bomb(path):
    torch.save({'w': torch.zeros(4_000_000)}, path/'plain')
    with zipfile.ZipFile(path/'plain') as a, zipfile.ZipFile(path/'packed', 'w', zipfile.ZIP_DEFLATED) as b:
        for o in a.namelist(): b.writestr(o, a.read(o))
    return (path/'packed').read_bytes()

def expanded(path):
    torch.save({'w': torch.zeros(1).expand(10**12)}, path/'expanded')
    return (path/'expanded').read_bytes()

def saved(path, what, **kw):
    torch.save(what, path/'saved', **kw)
    return (path/'saved').read_bytes()

HOSTILE = {
    'code.pth': (lambda p: pickle.dumps({'w': Code()}), 'holds more than tensors'),
    'code-2.pth': (lambda p: pickle.dumps({'w': Code()}, protocol=2), 'holds code (posix.system)|holds code (nt.system)'),
    'code-zip.pth': (lambda p: saved(p, {'w': Code()}), 'holds code (posix.system)|holds code (nt.system)'),
    'whole.pth': (lambda p: saved(p, torch.nn.Linear(2, 2)), 'holds code (torch.nn.modules.linear.Linear)'),
    'cut.pth': (lambda p: saved(p, {'w': torch.zeros(9999)})[:20_000], 'damaged or cut short'),
    'cut-old.pth': (lambda p: saved(p, {'w': torch.zeros(9999)}, _use_new_zipfile_serialization=False)[:9000], 'damaged or cut short'),
    'empty.pth': (lambda p: b'', 'is empty'),
    'empty.safetensors': (lambda p: b'', 'is empty'),
    'text.pth': (lambda p: b'not weights at all', 'no file of weights'),
    'text.safetensors': (lambda p: b'not weights at all', 'damaged or cut short'),
    'list.pth': (lambda p: saved(p, [1, 2]), 'no tensors by name'),
    'numbers.pth': (lambda p: saved(p, dict(a=1)), 'no tensors by name'),
    'bomb.pth': (bomb, 'unpacks to more than it weighs'),
    'expanded.pth': (expanded, 'larger than itself'),
    'sparse.pth': (lambda p: saved(p, {'w': torch.eye(3).to_sparse()}), 'sparse|holds code'),
    'huge.safetensors': (lambda p: huge_header(10**12), 'damaged or cut short'),
    'header.safetensors': (lambda p: struct.pack('<Q', 2**62) + b'{}', 'damaged or cut short'),
    'deep.safetensors': (lambda p: struct.pack('<Q', 200_000) + b'['*200_000, 'damaged or cut short')}

@pytest.mark.parametrize('name', HOSTILE)
def test_a_hostile_file_is_one_line(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make,line = HOSTILE[name]
    (tmp_path/name).write_bytes(make(tmp_path))
    for arch in ('', 'squeezenet1_1'):
        said = refused(tmp_path/name, **(dict(arch=arch) if arch else {}))
        assert any(o in said for o in line.split('|')) and name in said, said
    assert not (tmp_path/'pwned').exists()

def test_what_is_no_file(tmp_path):
    (tmp_path/'folder.pth').mkdir()
    with pytest.raises(SourceError, match='a folder, where a file'): read_state(tmp_path/'folder.pth')
    assert 'cannot be read' in refused(tmp_path/'nothing.pth')
    target = SimpleNamespace(modality='vision', task='classification')
    with pytest.raises(SourceError, match='neither a model nor a run'): find_source(recipe(source=str(tmp_path/'folder.pth')), target, None)
    with pytest.raises(SourceError, match='no such source'): find_source(recipe(source=str(tmp_path/'nothing.xyz')), target, None)
