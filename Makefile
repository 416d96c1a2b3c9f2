# make demo   one annotated slice becomes a segmented volume (pictures, table and .seg.nrrd in demo/)
# make test   every test, lint included
# make bench  accuracy and cost on labelled volumes (SHARED=folder with data/dev; REPORT=folder for HTML, and to go on)
# make bench-training  speed of training, and the published recipe and ours at equal time
# make lint   ruff and mypy
# Each sets up what it needs in .venv; nothing outside this folder is touched.

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip install --quiet --disable-pip-version-check --constraint Testing/constraints.txt
SHARED ?= ../shared
VOLUME ?=
ANNOTATION ?=

export FEWSHOTSEGMENT_SHARED := $(SHARED)
# as the command line sets it: short spins, so that a busy machine does not slow the tests down many times
export GOMP_SPINCOUNT ?= 10000

.PHONY: demo test bench bench-training lint format clean

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("FewShotSegment needs Python 3.10 or newer, %s is %s; say make PYTHON=python3.11" % (sys.executable, sys.version.split()[0]) if sys.version_info < (3, 10) else 0)'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/demo.stamp: pyproject.toml Testing/constraints.txt | $(VENV)/bin/python
	@echo "Setting up $(VENV) (a few minutes the first time)"
	@$(PIP) --editable '.[demo]'
	@touch $@

$(VENV)/test.stamp: pyproject.toml Testing/constraints.txt | $(VENV)/bin/python
	@echo "Setting up $(VENV) for the tests (a few minutes the first time)"
	@$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/demo.stamp

demo: $(VENV)/demo.stamp
	@$(PY) -m FewShotSegmentLib.demo --shared '$(SHARED)' --volume '$(VOLUME)' --annotation '$(ANNOTATION)' -o demo

test: $(VENV)/test.stamp lint
	@$(PY) -m pytest Testing --ignore=Testing/Gui
	@$(PY) -m pytest Testing/Gui

lint: $(VENV)/test.stamp
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy

format: $(VENV)/test.stamp
	@$(VENV)/bin/ruff check --fix .
	@$(VENV)/bin/ruff format .

bench: $(VENV)/test.stamp
	@$(PY) Testing/Bench/run.py --shared '$(SHARED)' $(if $(REPORT),--report '$(REPORT)')

bench-training: $(VENV)/test.stamp
	@$(PY) Testing/Bench/training.py --shared '$(SHARED)'

clean:
	rm -rf build dist demo .pytest_cache .mypy_cache .ruff_cache
