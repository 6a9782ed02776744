"Transfer learning in JupyterLab, measured on your own data"
__version__ = "0.1.0"
