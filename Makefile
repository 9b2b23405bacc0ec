# Every target makes .venv first; see scripts/bootstrap.

PYTHON := .venv/bin/python
# No C++ log lines and no Python deprecation notices in what people read.
QUIET := TF_CPP_MIN_LOG_LEVEL=3 PYTHONWARNINGS=ignore

.PHONY: all demo test lint format screenshot bench zoo results bootstrap clean

all: test

bootstrap:
	@scripts/bootstrap

# Train, prune, retrain and strip a small network on real digits.
demo: bootstrap
	@$(QUIET) $(PYTHON) train_pruning_class.py --output_dir demo_output

# The linter and the type checker are part of the reference, Python 3.7.
lint: bootstrap
	@test ! -x .venv/bin/mypy || ($(PYTHON) -m ruff check . && \
	  $(PYTHON) -m ruff format --check . && $(PYTHON) -m mypy)

format: bootstrap
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

test: lint
	@scripts/browser
	TF_CPP_MIN_LOG_LEVEL=3 $(PYTHON) -m pytest -n 2 --dist loadgroup

# Look at the demo's run in TensorBoard; writes docs/tensorboard.png.
screenshot: bootstrap
	@scripts/browser
	$(QUIET) TENSORBOARD_STUDY=demo_output TENSORBOARD_PICTURE=docs/tensorboard.png \
	  $(PYTHON) -m pytest -q tests/test_tensorboard.py

bench: bootstrap
	@$(QUIET) $(PYTHON) -m benchmarks

# Prunes every network of the zoo and of Keras at full size; writes docs/coverage.md.
zoo: bootstrap
	@$(QUIET) $(PYTHON) -m benchmarks.zoo

# Measures what docs/results.md says of each folder that is given: MNIST (idx files),
# CIFAR10 (binary files or TFRecords), DEMO (output of make demo). With REPAIR=1 also how
# networks are repaired: on the digits, and on the data that are given.
results: bootstrap
	@test -z "$(MNIST)" || $(QUIET) $(PYTHON) -m benchmarks.mnist --data_dir "$(MNIST)"
	@test -z "$(CIFAR10)" || $(QUIET) $(PYTHON) -m benchmarks.cifar --data_dir "$(CIFAR10)"
	@test -z "$(DEMO)" || $(QUIET) $(PYTHON) -m benchmarks.demo_sensitivity --demo_dir "$(DEMO)"
	@test -z "$(REPAIR)" || $(QUIET) $(PYTHON) -m benchmarks.repair --network digits
	@test -z "$(REPAIR)" || test -z "$(MNIST)" || $(QUIET) $(PYTHON) -m benchmarks.repair \
		--network mnist --data_dir "$(MNIST)"
	@test -z "$(REPAIR)" || test -z "$(MNIST)" || \
		$(QUIET) $(PYTHON) -m benchmarks.lenet --data_dir "$(MNIST)"
	@test -z "$(REPAIR)" || test -z "$(CIFAR10)" || $(QUIET) $(PYTHON) -m benchmarks.repair \
		--network cifar10 --data_dir "$(CIFAR10)"
	@test -z "$(REPAIR)" || test -z "$(CIFAR10)" || \
		$(QUIET) $(PYTHON) -m benchmarks.cifar_tuning --data_dir "$(CIFAR10)"

clean:
	rm -rf .venv .conda .bootstrap.lock demo_output bench_output build dist *.egg-info
	rm -rf .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
