# Every target but down and image makes .venv when it is missing, from the lock file; nothing else is installed or changed.
#   make demo                          seven small trainings on synthetic images, and their report
#   make test                          the tests
#   make integration                   the tests on a real Docker Engine, S3 server and Prefect server; Debian's packages for
#                                      them are installed where this user may, and what cannot be had is skipped and named
#   make long                          the tests that take minutes each, which the two above leave out
#   make check                         format, lint and types
#   make audit                         known vulnerabilities of everything the lock files name; asks PyPI's JSON interface
#                [AUDIT="--vulnerability-service osv"] asks OSV instead
#   make grid DATA=<zip or folder>     the seven experiments on your images
#                [GRID=mobilenet] [SET="epochs=4 image_size=128"] [SEEDS=3] [DATASET=<name of the set, instead of the grid's>]
#                [STRICT=1] refuses to test or validate on images with a sibling in training
#                [PLAN=1] only shows what would be trained, and why, of the set that is in the store; DATA is not needed
#   make bench [DATA=<zip or folder>] [WEIGHTS=<folder of MobileNet's weights>]
#                                      every performance figure, and docs/performance.md; over two and a half hours on two cores.
#                                      Without DATA on synthetic images, without WEIGHTS from random ones, which the page says
#   make chaos [KILLS=30] [SEED=0]     a grid whose experiments, flow runs, worker, Prefect server and S3 server are killed at
#                                      random, and which must end as if they had not been; half an hour on two cores
#   make fuzz [SECONDS=60]             bytes that coverage leads, for what reads archives, images, grids, manifests, events;
#                                      so long each
#   make reliability                   the table of hostile inputs in docs/reliability.md, from the tests that give them
#   make image                         the image bloodcell:cpu, or bloodcell:gpu with EXTRA=gpu, and what its doctor says
#                [IMAGE=<name:tag>] [BASE=<base image>] [BUILD_FLAGS="--network host"]
#   make up                            a Prefect server, an S3 server and a worker on this machine, without Docker
#                [PREFECT_PORT=4200] [S3_PORT=8333] [STACK=<folder they keep everything in>]
#   make down                          stop them, and keep their data
#   make lock                          bring the lock files up to date with pyproject.toml
# On a GPU host: EXTRA=gpu with the first target; .venv remembers it.

PYTHON ?= python3
MADE_FOR := $(shell cat .venv/extra 2>/dev/null)
EXTRA ?= $(or $(MADE_FOR),cpu)
GRID ?= blood-cell
DATASET ?=
SET ?=
SEEDS ?=
STRICT ?=
PLAN ?=
IMAGE ?= bloodcell:$(EXTRA)
BASE ?=
BUILD_FLAGS ?=
STACK ?= .local
INTEGRATION ?= tests/integration
AUDIT ?=

BIN := .venv/bin
RUN_GRID = $(BIN)/python -m flows.grid --grid "$(GRID)" $(if $(DATASET),--dataset "$(DATASET)") $(foreach setting,$(SET),--set '$(setting)') \
  $(if $(SEEDS),--seeds "$(SEEDS)") $(if $(STRICT),--strict)
INSTALLED := .venv/extra
SAY = $(PYTHON) -c 'import bloodcell, bloodcell.provenance as code; print($(1))'
HARDENED = --read-only --tmpfs /tmp --volume /cache --cap-drop ALL --security-opt no-new-privileges --network none
# A constraint too: a pin alone does not hold pip, up to some release, to it for a package that is asked for with extras.
PINNED = -r requirements-$(EXTRA).txt -c requirements-$(EXTRA).txt
# In an environment that uv makes for it alone: no pin of this project's gives way to the auditor's. Strict: else it passes
# over what it can learn nothing of, and where nobody answers reports that nothing is wrong.
PIP_AUDIT = $(BIN)/uv tool run --python $(BIN)/python pip-audit==2.10.1 --strict --progress-spinner off --disable-pip --require-hashes
COMPILE = $(BIN)/uv pip compile --quiet pyproject.toml --universal --generate-hashes --no-emit-index-url --no-header

# Two TensorFlows in one environment break each other.
ifneq ($(or $(MADE_FOR),$(EXTRA)),$(EXTRA))
ifeq ($(filter clean image,$(MAKECMDGOALS)),)
$(error .venv was made with EXTRA=$(MADE_FOR); run `make clean` first to change it)
endif
endif

.PHONY: demo test integration long integration-with-engine integration-without-engine check audit chaos grid needs-data bench fuzz reliability image up down lock clean

demo: $(INSTALLED)
	$(BIN)/bloodcell data show synthetic 2>/dev/null || $(BIN)/bloodcell data synthesize --name synthetic
	BLOODCELL_SLOTS=$${BLOODCELL_SLOTS:-2} $(BIN)/python -m flows.grid --grid demo

ifneq ($(PLAN),)
grid: $(INSTALLED)
	@test -z "$(DATA)" || echo "PLAN pushes nothing: it is for the images that are in the store and not for $(DATA)" >&2
	@$(RUN_GRID) --plan
else
grid: needs-data $(INSTALLED)
	set -e; name=$$($(RUN_GRID) --check); $(BIN)/bloodcell data push --name "$$name" "$(DATA)"
	$(RUN_GRID)
endif

needs-data:
	@test -n "$(DATA)" || { echo 'DATA is not set. Name your images beside what you gave: make grid DATA=<zip or folder> …'; \
	  echo "Of images that are in the store:" '$(strip $(subst ','\'',$(RUN_GRID)))'; exit 2; } >&2

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks $(if $(DATA),--data "$(DATA)") $(if $(WEIGHTS),--weights "$(WEIGHTS)")

chaos: $(INSTALLED)
	$(BIN)/python -m tests.chaos $(if $(KILLS),--kills "$(KILLS)") $(if $(SEED),--seed "$(SEED)")

# An input that breaks a target stays in this folder, as crash-<hash>.
fuzz: $(INSTALLED)
	$(BIN)/python -m tests.hostile.guided -max_total_time=$(or $(SECONDS),60)

reliability: $(INSTALLED)
	TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python -m tests.hostile

test: $(INSTALLED)
	# Each worker has a core: more threads of linear algebra would only wait for one another.
	OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -n 2 -q --durations 15 -m 'not long' --ignore tests/integration

integration: $(INSTALLED)
	tests/integration/install
	$(MAKE) --jobs 2 --keep-going integration-with-engine integration-without-engine

# One xdist worker each, which prints whole lines; 5 is the exit code of a selection in which there is no test.
integration-with-engine integration-without-engine: $(INSTALLED)
	$(BIN)/pytest -n 1 -v --durations 15 -m '$(if $(findstring without,$@),not )engine and not long' $(INTEGRATION) || test $$? = 5

long: $(INSTALLED)
	tests/integration/install
	OPENBLAS_NUM_THREADS=1 $(BIN)/pytest -n 1 -v --durations 15 -m long

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy --explicit-package-bases tests

# All three, whatever the first says. What is ignored is so by its id, with the reason beside it.
audit: $(INSTALLED)
	@failed=; for lock in cpu gpu dev; do echo "requirements-$$lock.txt"; \
	  $(PIP_AUDIT) -r requirements-$$lock.txt $$(sed -n 's/^\([A-Z][^ #]*\).*/--ignore-vuln \1/p' .ci/audit-ignored) $(AUDIT) || failed=1; \
	done; test -z "$$failed" || { echo 'The audit found something, or could not be made: it needs PyPI itself, as an index alone' \
	  'knows no vulnerabilities, or AUDIT="--vulnerability-service osv" and OSV.'; exit 1; } >&2

image:
	docker build $(BUILD_FLAGS) --tag $(IMAGE) --build-arg EXTRA=$(EXTRA) $(if $(BASE),--build-arg BASE=$(BASE)) \
	  --build-arg VERSION=$$($(call SAY,bloodcell.__version__)) --build-arg COMMIT=$$($(call SAY,code.git_commit() or "")) .
	docker run --rm $(HARDENED) $(IMAGE) bloodcell doctor

up: $(INSTALLED)
	$(BIN)/python -m deployments.local --folder "$(STACK)" up \
		$(if $(PREFECT_PORT),--prefect-port $(PREFECT_PORT)) $(if $(S3_PORT),--s3-port $(S3_PORT))

down:
	$(BIN)/python -m deployments.local --folder "$(STACK)" down

lock: $(INSTALLED)
	$(COMPILE) --extra cpu -o requirements-cpu.txt
	$(COMPILE) --extra gpu -c requirements-cpu.txt -o requirements-gpu.txt
	$(COMPILE) --extra dev --extra local -c requirements-cpu.txt -o requirements-dev.txt

$(INSTALLED): requirements-$(EXTRA).txt requirements-dev.txt pyproject.toml setup.py bloodcell/batch_norm_relu.cc bloodcell/batch_norm_relu.py
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit(f"Python {sys.version.split()[0]} found; 3.11 or newer is needed: make PYTHON=<python3.11>")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo 'installing into .venv, which takes two to four minutes'
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes $(PINNED) -r requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	echo $(EXTRA) > $@

clean:
	rm -rf .venv build *.egg-info bloodcell/*.so
