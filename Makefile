# lab    JupyterLab on ./workspace, the template in it (LAB='--allow-root --no-browser': options for JupyterLab)
# demo   a template, headless, on data that needs no network (TEMPLATE=tabular, vision or text)
# test   all that continuous integration runs
# bench  the long measurements, written to docs/benchmarks.md (some hours; ONLY=cache: one of them)
# docs   README.md from nbs/index.ipynb
# sync   tlnb/, README.md and the extension's settings from nbs/ and settings.ini, notebooks cleaned: before every commit
# sources  trains the shipped source models anew
.PHONY: lab demo test bench docs sync sources
.DEFAULT_GOAL := demo

PYTHON ?= python3
TEMPLATE ?= tabular
UV := $(or $(shell command -v uv),.uv/bin/uv)
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
KEYS := pyproject.toml settings.ini tlnb/__init__.py
# sources of the JupyterLab extension; it is built (with the Node that the build brings along) where it is wanted, and only if one has changed
EXTENSION := labextension/package.json labextension/yarn.lock labextension/tsconfig.json $(shell find labextension/src labextension/style labextension/schema -type f)
LINK := .venv/share/jupyter/labextensions/tlnb

# uv where it is missing: into a folder of its own, so that the system's Python stays as it is
.uv/bin/uv:
	$(PYTHON) -m pip install --quiet --target .uv uv

$(BIN)/python: | $(filter .uv/bin/uv,$(UV))
	$(UV) venv --quiet --allow-existing --python '>=3.11' .venv

# stamps: a second make spends no time on set-up; a link made for working on the extension gives way to a copy
.venv/ready-run: $(KEYS) | $(BIN)/python
	@[ ! -L $(LINK) ] || rm $(LINK)
	SKIP_JUPYTER_BUILDER=1 $(UV) pip install --quiet --python $(BIN)/python -e .
	@touch $@

.venv/ready-lab: $(KEYS) $(EXTENSION) | $(BIN)/python
	@[ ! -L $(LINK) ] || rm $(LINK)
	@[ -z '$(filter labextension/%,$?)' ] || rm -rf tlnb/labextension
	$(UV) pip install --quiet --python $(BIN)/python -e .
	@touch $@ .venv/ready-run

.venv/ready-test: $(KEYS) | $(BIN)/python .venv/ready-lab
	$(UV) pip install --quiet --python $(BIN)/python -e '.[dev,test]'
	@touch $@ .venv/ready-run .venv/ready-lab

# exit 1 of `tlnb run` means that a gate said no: a finding about the data, not a failure
demo: .venv/ready-run
	@rm -rf demo
	@$(BIN)/tlnb run $(TEMPLATE) --offline --out demo; code=$$?; \
	if [ $$code -eq 1 ]; then echo 'A gate said no. That is a finding about the data; the demo itself has worked.'; \
	else exit $$code; fi

lab: .venv/ready-lab
	@$(BIN)/tlnb lab workspace $(LAB)

test: .venv/ready-test
	OMP_NUM_THREADS=1 $(BIN)/nbdev-test --n-workers 2
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadgroup

bench: .venv/ready-test
	$(BIN)/python tests/bench/run.py --only '$(ONLY)'

docs: .venv/ready-test
	$(BIN)/jupytext --quiet --to md --opt notebook_metadata_filter=-all --opt cell_metadata_filter=-all --output README.md nbs/index.ipynb

sync: .venv/ready-test docs
	$(BIN)/nbdev-export
	$(BIN)/nbdev-clean
	$(BIN)/python labextension/make_schema.py

sources: .venv/ready-run
	OMP_NUM_THREADS=1 $(BIN)/python -c "from tlnb.tabular.ship import ship_loans; ship_loans()"
	OMP_NUM_THREADS=1 $(BIN)/python -c "from tlnb.vision.ship import ship_parts; ship_parts()"
	OMP_NUM_THREADS=1 $(BIN)/python -c "from tlnb.vision.pretrain import ship_shapes; ship_shapes()"
	OMP_NUM_THREADS=1 $(BIN)/python -c "from tlnb.text.ship import ship_tickets, ship_tickets_lm; ship_tickets(said=print); ship_tickets_lm(said=print)"
