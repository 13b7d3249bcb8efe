# The two commands a newcomer needs: `make run` shows the whole product at work,
# `make test` runs every test.

FUNCTIONS := webhook order token health

# What /health and every log line say was deployed; empty outside git.
VERSION := $(shell git describe --always --dirty --tags 2>/dev/null)

# One recipe for the local cloud and for `sam build`. The same source and version are the
# same bytes on every machine: the toolchain is the one of go.mod, and no setting of the
# environment, no path and no time gets in. Without net/rpc, which aws-lambda-go needs
# only on a runtime that is gone, the webhook's binary is a third smaller.
GO_BUILD = CGO_ENABLED=0 GOFLAGS= GOWORK=off GOTOOLCHAIN=$(shell sed -n 's/^toolchain //p' go.mod) \
	go build -trimpath -buildvcs=false -tags '$(BUILD_TAGS)' \
	-ldflags '-s -w -X github.com/g2a-lambda/g2a-lambda/functions/internal/function.version=$(VERSION)'

# What traces are sent with, TRACE=sdk or TRACE=light, as a variable of make or of the
# environment: `make build TRACE=light`, `TRACE=light sam build`.
TAGS_sdk := lambda.norpc
TAGS_light := lambda.norpc,lighttrace
BUILD_TAGS = $(or $(TAGS_$(or $(TRACE),sdk)),$(error TRACE is "$(TRACE)", and must be sdk (the default) or light))

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# Takes one order all the way through the local cloud, prints each step with its
# proof, and leaves nothing running.
.PHONY: run
run: build/local
	@build/local run

# Starts the local cloud and stays: Ctrl-C stops it.
.PHONY: up
up: build/local
	@build/local up

# Invokes a function of the cloud that `make up` runs:
# make invoke FN=OrderFunction EVENT=events/order-place.json
.PHONY: invoke
invoke: build/local
	@build/local invoke '$(FN)' '$(EVENT)'

# Writes a webhook signed now into events/webhook-signed.json, for the cloud that
# `make up` runs: make event ORDER=42 TYPE=order.completed STATUS=completed
.PHONY: event
event: build/local
	@build/local event $(if $(ORDER),-order '$(ORDER)') $(if $(TYPE),-type '$(TYPE)') $(if $(STATUS),-status '$(STATUS)')

# The functions' binaries for this machine.
.PHONY: build
build: go
	@for f in $(FUNCTIONS); do $(GO_BUILD) -o build/$$f/bootstrap ./functions/$$f || exit 1; done

.PHONY: build/local
build/local: build
	@go build -o build/local ./infra/cmd/local

# What `sam build` calls, one for each function of template.yaml.
.PHONY: build-WebhookFunction build-OrderFunction build-TokenRefreshFunction build-HealthFunction
build-WebhookFunction: PACKAGE := webhook
build-OrderFunction: PACKAGE := order
build-TokenRefreshFunction: PACKAGE := token
build-HealthFunction: PACKAGE := health
build-WebhookFunction build-OrderFunction build-TokenRefreshFunction build-HealthFunction:
	GOOS=linux GOARCH=arm64 $(GO_BUILD) -o '$(ARTIFACTS_DIR)/bootstrap' ./functions/$(PACKAGE)

# Every test: the packages', and the binaries' through the local cloud, on the
# embedded DynamoDB and on the real engine; then the proofs, which print what they
# counted. `go test ./...` is the first line of it, without the engines that are fetched.
.PHONY: test
test: build dynamodb-local moto
	go test -race ./...
	go test -race -tags lighttrace $(TRACED)
	go test -race -v -run Linearizable ./shared/store
	go test -race -v -p 1 $(PROOFS)

# The promises proven from outside: on real binaries, which are killed, with real
# engines, which are stopped.
PROOFS := -tags proof ./infra/proof/...

# What TRACE decides.
TRACED := ./shared/telemetry/xray ./functions/internal/... ./functions/webhook

# The same at full size: hours.
.PHONY: soak
soak: build dynamodb-local moto
	STORMTEST_EVENTS=10000 go test -race -v -timeout 2h -run Storm -tags proof ./infra/proof/webhooks
	HANGTEST_SECONDS=300 go test -race -v -timeout 1h -run 'SecretsManagerHangs|Frozen' -tags proof ./infra/proof/tokens
	CRASHTEST_ORDERS=100000 go test -race -v -timeout 24h -run AtRandom -tags proof ./infra/proof/orders

# Fetches DynamoDB Local, which needs Java. Without it the tests on it are left out;
# in CI that is a failure.
.PHONY: dynamodb-local
dynamodb-local:
	@infra/engine/dynamodb-local/fetch || { \
		echo 'NOT RUN: the tests on DynamoDB Local, the real engine; those on the embedded one are' >&2; \
		[ "$(CI)" != true ]; }

# Fetches moto, which executes the workflow and is a Secrets Manager, and needs Python. Without it the tests on
# it are left out; in CI that is a failure.
.PHONY: moto
moto:
	@infra/engine/moto/fetch || { \
		echo "NOT RUN: the tests on moto: the order workflow by its interpreter, a rotation in its Secrets Manager" >&2; \
		[ "$(CI)" != true ]; }

.PHONY: lint
lint: go lint-template
	@unformatted=$$(gofmt -l functions shared infra contracts); [ -z "$$unformatted" ] || { echo "not formatted (gofmt -w): $$unformatted" >&2; exit 1; }
	go vet -tags proof ./...
	go vet -tags 'proof lighttrace' ./...
	go run $(STATICCHECK) -tags proof ./...
	go run $(STATICCHECK) -tags lighttrace $(TRACED)

# The template by CloudFormation's schemas and by SAM's own. Without Python, which both
# need, that is left out; in CI that is a failure.
LINTERS := .local/lint/bin

.PHONY: lint-template
lint-template:
	@infra/lint/fetch || { \
		echo 'NOT RUN: cfn-lint and sam validate, which check template.yaml' >&2; \
		[ "$(CI)" != true ]; exit; }; \
	$(LINTERS)/python $(LINTERS)/cfn-lint template.yaml && \
	SAM_CLI_TELEMETRY=0 $(LINTERS)/python $(LINTERS)/sam validate --lint

.PHONY: clean
clean:
	rm -rf build .local .aws-sam

.PHONY: go
go:
	@command -v go >/dev/null || { echo 'Go is missing: install Go 1.26 or newer, from https://go.dev/dl' >&2; exit 1; }
