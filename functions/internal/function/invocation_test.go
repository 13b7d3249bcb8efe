package function_test

import (
	"context"
	"testing"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/g2a-lambda/g2a-lambda/functions/internal/function"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

func TestCorrelate(t *testing.T) {
	const root, request = "1-5759e988-bd862e3fe1be46a994272793", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
	tests := []struct {
		name   string
		header any // nil: none
		want   string
	}{
		{"as Lambda sends it", "Root=" + root + ";Parent=53995c3f42cd8ad8;Sampled=1", root},
		{"root alone", "Root=" + root, root},
		{"root in spaces", "Parent=53995c3f42cd8ad8; Root=" + root + " ;Self=1", root},
		{"root last", "Parent=53995c3f42cd8ad8; Root=" + root, root},
		{"with a lineage", "Self=1-67891234-12456789abcdef012345678;Root=" + root + ";Lineage=a:1", root},
		{"no header", nil, request},
		{"empty", "", request},
		{"no root", "Parent=53995c3f42cd8ad8;Sampled=1", request},
		{"empty root", "Root=;Parent=53995c3f42cd8ad8", request},
		{"root of another form", "Root=\x00\u00e9\r\nX: y;Parent=1", request},
		{"semicolons alone", ";;;", request},
		{"not a text", 7, request},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: request})
			if tt.header != nil {
				//lint:ignore SA1029 the key is aws-lambda-go's
				ctx = context.WithValue(ctx, "x-amzn-trace-id", tt.header)
			}
			if got := g2a.CorrelationID(function.Correlate(ctx)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	t.Run("outside Lambda", func(t *testing.T) {
		if got := g2a.CorrelationID(function.Correlate(t.Context())); got != "" {
			t.Errorf("got %q, want none", got)
		}
	})
}

func TestCheckEvent(t *testing.T) {
	tests := []struct {
		name, payload string
		valid         bool
	}{
		{"empty object", `{}`, true},
		{"schedule", `{"source":"aws.events","detail":{}}`, true},
		{"object in space", " \n{} ", true},
		{"nothing", ``, false},
		{"null", `null`, false},
		{"list", `[{}]`, false},
		{"text", `"{}"`, false},
		{"number", `1`, false},
		{"two objects", `{}{}`, false},
		{"cut short", `{"source":`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := function.CheckEvent([]byte(tt.payload))
			if (err == nil) != tt.valid {
				t.Fatalf("error %v", err)
			}
		})
	}
}
