# Everything a user or a developer does, one verb each. `make help` lists them.
SHELL := /bin/bash
PRESET ?= release
DEST ?= zipkin
BUILD := build/$(PRESET)
JOBS ?= $(shell nproc)

.PHONY: help up down status logs test test-unit test-e2e torture sanitize build lint format docs bench fuzz deps clean images \
  cluster-up cluster-demo conformance cluster-test cluster-down demo-redis demo-student demo-down manifests

help:            ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

deps:            ## install what is missing (Debian packages, librdkafka)
	@ci/deps/install.sh

$(BUILD)/build.ninja: CMakePresets.json
	@cmake --preset $(PRESET) >$(CURDIR)/.configure.log 2>&1 || { mkdir -p build; tail -n 30 .configure.log; exit 1; }
	@rm -f .configure.log

build: deps      ## build everything (PRESET=release|dev|asan|tsan)
	@$(MAKE) --no-print-directory $(BUILD)/build.ninja
	@cmake --build $(BUILD) -j $(JOBS)

up: deps         ## Kafka, a backend and the pipeline on this machine (DEST=zipkin|jaeger|clickhouse|s3|loki|prometheus|memory, or several)
	@ci/local/up.sh "$(DEST)"

demo-redis: deps ## client, HTTP server, Redis pub/sub and worker: one trace through the pipeline (DEST as in up)
	@tests/parts/redis.sh get
	@ci/local/up.sh "$(DEST)"
	@python3 ci/local/demo.py redis --destinations "$(DEST)"

demo-student: deps ## HTTP API, PostgreSQL, Kafka and two consumers: one trace through the pipeline (DEST as in up)
	@tests/parts/postgres.sh get
	@ci/local/up.sh "$(DEST)" spanway-demo-student
	@python3 ci/local/demo.py student --destinations "$(DEST)"

demo-down:       ## stop the applications of the demos, their Redis and PostgreSQL; the pipeline: make down
	@python3 ci/local/demo.py down

down:            ## stop what `make up` started
	@python3 ci/local/pipeline.py down

status:          ## what runs, whether it is ready, and its lag
	@python3 ci/local/pipeline.py status

logs:            ## follow the logs of the services
	@tail -n 20 -F run/log/*.log

test:            ## all tests, on real parts, and lint of what is changed; names what it skipped and why
	@ci/checks/test.sh

test-unit: build ## unit, contract and integration tests only
	@. ci/checks/suite.sh && run_ctest $(BUILD) -j $(JOBS)

test-e2e: build  ## the e2e tests only (ARGS="-k zipkin" picks some)
	@ci/checks/e2e.sh $(ARGS)

conformance: build ## the tests of other projects, run against Spanway (tests/conformance)
	@. ci/checks/suite.sh && SPANWAY_BIN=$(CURDIR)/$(BUILD)/bin run_pytest conformance tests/conformance

torture: build   ## the whole chain under random faults for MINUTES (default 10); SEED=n repeats a run
	@ci/checks/torture.sh

cluster-up: build ## a real Kubernetes on this machine with our image in it (needs root)
	@tests/parts/kube.sh get
	@ci/images/oci.sh build/images/spanway.tar
	@IMAGES=$(CURDIR)/build/images/spanway.tar tests/cluster/up.sh

cluster-demo: build ## the same with the operator, Kafka and DEST (jaeger or clickhouse); sends a trace through it
	@tests/parts/kube.sh get
	@ci/local/cluster.sh up

cluster-test:    ## the operator on a real Kubernetes (ARGS="-k rollout" picks some tests)
	@ci/checks/cluster.sh $(ARGS)

cluster-down:    ## end the cluster of `make cluster-up` and what runs beside it
	@ci/local/cluster.sh down

manifests:       ## write the chart's CRD, the dashboards and the plain manifests of k8s/ from their sources
	@$$(ci/deps/python.sh | tail -n 1) ci/checks/manifests.py write

sanitize: deps   ## unit, contract and integration tests under ASan+UBSan and under TSan
	@ci/checks/sanitize.sh

lint: deps       ## format, syntax of scripts, tidy tests, clang-tidy on every source
	@ci/checks/lint.sh

format: deps     ## rewrite the sources with clang-format
	@git ls-files '*.cc' '*.h' | xargs clang-format-14 -i

docs: build      ## write CONFIG.md, METRICS.md, STATUSZ.md and CRD.md from the binaries
	@ci/checks/docs.sh write

fuzz: deps       ## run each fuzzer for FUZZ_SECONDS (default 60)
	@ci/checks/fuzz.sh

bench: deps      ## counted costs, CPU, memory, latency and loss of each path, on real Kafka; see bench/README.md
	@bench/run.sh cost --check
	@bench/run.sh

images:          ## container images of all services (needs Docker or another builder)
	@ci/images/build.sh

clean:           ## remove the build folders
	@rm -rf build
