# What one types in this repository; `make help` lists it.
#
# Everything lives in .venv, which is made at the first use and updated when pyproject.toml has changed.
# Otherwise nothing here asks the network for anything.

VENV := .venv
BIN := $(VENV)/bin
PROTOS := $(wildcard protos/adsum/v1/*.proto)
GENERATED := .venv-protos/generated
# Other languages, by commas or spaces: make stubs LANGUAGES=go,java. Empty for those whose tools are on this machine.
LANGUAGES :=
# More arguments for what run, serve and the tests start: make test ARGS="-k lobby".
ARGS :=
# BREAKING=allow lets `make check` pass a contract that breaks its users; .ci/breaking tells when one may.
BREAKING :=

# A name on the PATH may be a shim with nothing behind it, or an older Python: each candidate is asked.
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13 python3.14; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

.DEFAULT_GOAL := help
.PHONY: help run serve test test-all test-floors conformance simulate faults abuse soak fuzz bench bench-quick bench-plot bench-console screenshot check check-style check-types check-walls \
	check-contract fmt generated protos stubs clean

help: ## List what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-13s %s\n' "$$name" "$$text"; done

# Environments. A stamp says that one is complete, and holds the place of this checkout: what is installed
# points there, so in a copied or moved checkout every stamp is out of date.

INSTALLED := $(VENV)/.installed
TOOLS := $(VENV)/.tools
GENERATOR := .venv-protos/.installed
FLOORS := .venv-floors/.installed
FUZZER := .venv-fuzz/.installed
.PHONY: $(foreach stamp,$(INSTALLED) $(GENERATOR) $(FLOORS) $(FUZZER),$(if \
	$(filter-out $(shell cat $(stamp) 2>/dev/null),$(CURDIR)),$(stamp)))

define make_venv
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo 'Adsum needs Python 3.11 or newer. If it is not on the PATH: make PYTHON=/path/to/python3' >&2; \
		exit 1; }
	@[ "$$(cat $@ 2>/dev/null)" = "$(CURDIR)" ] || "$(PYTHON)" -m venv --clear $(@D) || { \
		echo 'Could not make $(@D). On Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }
endef
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check

$(INSTALLED): pyproject.toml
	$(make_venv)
	@echo 'Installing Adsum into $(@D)'
	@$(@D)/bin/python $(PIP_INSTALL) --editable '.[server,console]'
	@echo "$(CURDIR)" > $@

# A step of its own: it takes longer than the rest, and who only wants to see Adsum run needn't wait for it.
$(TOOLS): $(INSTALLED)
	@echo 'Installing the tools of development into $(@D)'
	@$(@D)/bin/python $(PIP_INSTALL) --editable '.[server,console,redis,dev]'
	@touch $@

$(GENERATOR): protos/generator.txt
	$(make_venv)
	@echo 'Installing the protobuf generator into $(@D)'
	@$(@D)/bin/python $(PIP_INSTALL) --requirement $<
	@echo "$(CURDIR)" > $@

$(FLOORS): pyproject.toml .ci/floors
	$(make_venv)
	@echo 'Installing Adsum and the lowest versions that it allows into $(@D)'
	@$(@D)/bin/python .ci/floors > $(@D)/constraints.txt
	@$(@D)/bin/python $(PIP_INSTALL) --editable '.[server,console,redis,test]' \
		--constraint $(@D)/constraints.txt
	@echo "$(CURDIR)" > $@

# Its wheels are for CPython 3.11 to 3.13.
$(FUZZER): pyproject.toml
	$(make_venv)
	@echo 'Installing Adsum and the fuzzer into $(@D)'
	@$(@D)/bin/python $(PIP_INSTALL) --editable '.[server,test]' 'atheris==3.0.0'
	@echo "$(CURDIR)" > $@

# Programs. `exec` leaves no shell between make and the program, so that a signal to make reaches it. People
# end both with Ctrl-C, so both then end with 0: any other status would make `make` print an error below the
# last line.

run: $(INSTALLED) ## Watch people come and go: a server, some bots and the client; Ctrl-C ends them all
	@exec $(BIN)/adsum demo $(ARGS)

serve: $(INSTALLED) ## Run a server: make serve ARGS="--help" lists its options
	@exec $(BIN)/adsumd $(ARGS)

# Tests.

test: $(TOOLS) ## Run the whole suite
	@$(BIN)/python -m pytest $(ARGS)

test-all: $(TOOLS) ## The same, but a test that is skipped has failed
	@$(BIN)/python -m pytest --no-skips --continue-on-collection-errors $(ARGS)

test-floors: $(FLOORS) ## Run all but the slow tests on the lowest versions that pyproject.toml allows
	@.venv-floors/bin/python -m pytest -m 'not slow' $(ARGS)

conformance: $(TOOLS) ## Prove the clients of every language: make conformance LANGUAGES=go,java
	@$(BIN)/python -m tests.conformance $(if $(LANGUAGES),--languages '$(LANGUAGES)') $(ARGS)

# SEEDS is a number, or a range such as 1000..1999.
SEEDS := 500
simulate: $(TOOLS) ## Check the promises in simulated worlds: make simulate SEEDS=20000
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS) --jobs $$(nproc) $(ARGS)

faults: $(TOOLS) ## Break connections, processes and machines for real, and check the promises (8 minutes)
	@$(BIN)/python -m tests.faults $(ARGS)

abuse: $(TOOLS) ## Attack a server, a client and a console, and see that nobody else notices (8 minutes)
	@$(BIN)/python -m tests.abuse $(ARGS)

# MINUTES is for each of the two below: make soak MINUTES=5
MINUTES := 60
soak: $(TOOLS) ## Churn for an hour, and see what stays behind: make soak MINUTES=5
	@mkdir -p build
	@$(BIN)/python -m tests.soak --minutes $(MINUTES) --json build/soak.jsonl $(ARGS)

fuzz: $(FUZZER) ## Fuzz the decoders and state machines for an hour: make fuzz MINUTES=8
	@.venv-fuzz/bin/python -m tests.fuzz all --minutes $(MINUTES) $(ARGS)

# What is measured and shown, made again when the console has changed.

bench: $(TOOLS) ## Measure Adsum beside a bare gRPC server (40 minutes): make bench ARGS="light --members 1000"
	@$(BIN)/python -m tests.bench --json build/bench.json $(ARGS)

bench-quick: $(TOOLS) ## See in a minute whether anything has become twice as slow
	@$(BIN)/python -m tests.bench --quick $(ARGS)

bench-plot: $(TOOLS) ## Draw docs/performance.svg from what make bench wrote
	@$(BIN)/python -m tests.bench.plot build/bench.json docs/performance.svg

bench-console: $(TOOLS) ## Measure what the full screen costs and how fast it answers
	@$(BIN)/python -m tests.bench.bench_console $(ARGS)

screenshot: $(TOOLS) ## Make the picture of the full screen in the README again
	@$(BIN)/python -m tests.bench.console_screenshot docs/console.svg

# Checks.

check: check-style check-types check-walls check-contract ## Check style, types, walls and the contract

check-style: $(TOOLS)
	@$(BIN)/ruff format --check --quiet || { echo 'Not formatted: make fmt' >&2; $(BIN)/ruff format --check; }
	@$(BIN)/ruff check

check-types: $(TOOLS)
	@$(BIN)/mypy

check-walls: $(TOOLS)
	@$(BIN)/lint-imports --no-logo

check-contract: $(TOOLS) generated
	@$(BIN)/buf lint protos
	@BREAKING='$(BREAKING)' .ci/breaking $(BIN)/buf
	@diff -rq -x '*.proto' -x __init__.py -x py.typed -x __pycache__ $(GENERATED)/adsum/v1 protos/adsum/v1 || { \
		echo 'The generated code is not what the .proto files say: make protos, and commit what it changes' >&2; \
		exit 1; }

fmt: $(TOOLS) ## Format the code, and mend what mends itself
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format

# Generated code. Of gRPC's stubs only asyncio's (only_async), and none for files without a service. The descriptor set is for tools that
# call or inspect a server without its reflection; it holds the comments too.
DESCRIPTORS := adsum/v1/adsum.binpb

generated: $(GENERATOR)
	@rm -rf $(GENERATED) && mkdir -p $(GENERATED)
	@export PATH="$(CURDIR)/.venv-protos/bin:$$PATH" && \
	python -m grpc_tools.protoc -I protos --python_out=$(GENERATED) --mypy_out=quiet:$(GENERATED) $(PROTOS) && \
	python -m grpc_tools.protoc -I protos --grpc_python_out=$(GENERATED) \
		--mypy_grpc_out=quiet,only_async:$(GENERATED) $$(grep -l '^service ' $(PROTOS)) && \
	python -m grpc_tools.protoc -I protos --include_imports --include_source_info \
		--descriptor_set_out=$(GENERATED)/$(DESCRIPTORS) $(PROTOS)

protos: generated ## Generate the Python code of the .proto files again
	@rm -f protos/adsum/v1/*_pb2.py* protos/adsum/v1/*_pb2_grpc.py* protos/$(DESCRIPTORS)
	@cp $(GENERATED)/adsum/v1/* protos/adsum/v1/

comma := ,
stubs: $(TOOLS) ## Generate stubs for other languages into build/stubs: make stubs LANGUAGES=go
	@$(BIN)/python protos/stubs/make.py $(subst $(comma), ,$(LANGUAGES))

clean: ## Remove everything that can be made again
	@rm -rf .venv .venv-protos .venv-floors .venv-fuzz build dist
	@find . -name .git -prune -o \( -name __pycache__ -o -name .hypothesis -o -name '.*_cache' \) \
		-type d -prune -exec rm -rf {} +
