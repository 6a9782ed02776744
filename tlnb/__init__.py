"Transfer learning in JupyterLab, measured on your own data"
__version__ = "0.1.0"

import sys
from importlib import import_module
from types import ModuleType

# public name -> module that has it; imported when it is first asked for, so that `import tlnb` is instant
_PUBLIC = dict(Recipe='recipe', load='dataset', Dataset='dataset', sources='source', rank='rank', adapt='adapt', Run='adapt', evaluate='evaluate',
    explain='explain', overview='overview', sanity='sanity', check_bias='bias', card='card', report='report', compare='compare', export='export', Package='package', suspects='suspects', cleaner_panel='cleaner_panel',
    templates='gallery', new='gallery', runs='runs',
    data_panel='data_panel', source_panel='source_panel', strategy_panel='strategy_panel', report_panel='report_panel', bias_panel='bias_panel', explain_panel='explain_panel', live='training_panel',
    TlnbError='errors', RecipeError='errors', DataError='errors', SourceError='errors', StoreError='errors', ExportError='errors', GateError='errors')
__all__ = list(_PUBLIC)


class _Package(ModuleType):
    "A function such as `tlnb.adapt` is called as its module is: whichever was imported first, the public name means the function"
    def __setattr__(self, name, value):
        if isinstance(value, ModuleType) and name in _PUBLIC: value = getattr(value, name, value)
        super().__setattr__(name, value)

    def __getattr__(self, name):
        if name not in _PUBLIC: raise AttributeError(f'module {self.__name__!r} has no attribute {name!r}')
        value = getattr(import_module(f'{self.__name__}.{_PUBLIC[name]}'), name)
        super().__setattr__(name, value)
        return value

    def __dir__(self): return sorted({*super().__dir__(), *_PUBLIC})


sys.modules[__name__].__class__ = _Package
