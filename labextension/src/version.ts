// Written by make_schema.py from tlnb/__init__.py.
export const VERSION = '0.1.0';
