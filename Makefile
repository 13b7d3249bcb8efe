# The two commands a newcomer needs: `make run` shows the whole product at work,
# `make test` runs every test.

FUNCTIONS := webhook order token health

# One recipe for the local cloud and for `sam build`. Without net/rpc, which
# aws-lambda-go needs only on a runtime that is gone, the webhook's binary is a third
# smaller.
GO_BUILD := CGO_ENABLED=0 go build -trimpath -tags lambda.norpc -ldflags '-s -w'

.PHONY: build
build: go
	@for f in $(FUNCTIONS); do $(GO_BUILD) -o build/$$f/bootstrap ./functions/$$f || exit 1; done

# What `sam build` calls, one for each function of template.yaml.
.PHONY: build-WebhookFunction build-OrderFunction build-TokenRefreshFunction build-HealthFunction
build-WebhookFunction: PACKAGE := webhook
build-OrderFunction: PACKAGE := order
build-TokenRefreshFunction: PACKAGE := token
build-HealthFunction: PACKAGE := health
build-WebhookFunction build-OrderFunction build-TokenRefreshFunction build-HealthFunction:
	GOOS=linux GOARCH=arm64 $(GO_BUILD) -o '$(ARTIFACTS_DIR)/bootstrap' ./functions/$(PACKAGE)

.PHONY: go
go:
	@command -v go >/dev/null || { echo 'Go is missing: install Go 1.26 or newer, from https://go.dev/dl' >&2; exit 1; }
