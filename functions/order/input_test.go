package main

import (
	"strings"
	"testing"
)

func TestReadInput(t *testing.T) {
	full := input{OrderRef: "a", ProductID: "1", MaxPrice: "12.50", Currency: "EUR"}
	tests := []struct {
		name, payload string
		want          input
		fault         string // part of the error; "": none
	}{
		{"whole order", `{"order_ref":"a","product_id":"1","max_price":"12.50","currency":"EUR"}`, full, ""},
		{"in another sequence, with space", " {\n\"currency\":\"EUR\", \"max_price\":\"12.50\",\t\"product_id\":\"1\", \"order_ref\":\"a\" }\n", full, ""},
		{"order_ref alone", `{"order_ref":"a"}`, input{OrderRef: "a"}, ""},
		{"several keys", `{"order_ref":"a","quantity":50}`, input{OrderRef: "a", Quantity: 50}, ""},
		{"too many keys", `{"quantity":51}`, input{}, "quantity is not an integer from 1 to 50"},
		{"no keys", `{"quantity":0}`, input{}, "quantity is not an integer from 1 to 50"},
		{"half a key", `{"quantity":1.5}`, input{}, "quantity is not an integer"},
		{"quantity as a string", `{"quantity":"2"}`, input{}, "quantity is not an integer"},
		{"null quantity", `{"quantity":null}`, input{}, "quantity is not an integer"},
		{"two quantities", `{"quantity":1,"quantity":2}`, input{}, `two fields "quantity"`},
		{"cancel", `{"order_ref":"a","cancel":true}`, input{OrderRef: "a", Cancel: true}, ""},
		{"do not cancel", `{"order_ref":"a","cancel":false}`, input{OrderRef: "a"}, ""},
		{"started by another execution", `{"order_ref":"a","AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID":"arn:aws:states:x"}`, input{OrderRef: "a"}, ""},
		{"with the console's comment", `{"Comment":"Insert your JSON here","order_ref":"a"}`, input{OrderRef: "a"}, ""},
		{"two comments", `{"Comment":"a","Comment":"b","order_ref":"a"}`, input{}, `two fields "Comment"`},
		{"null order_ref", `{"order_ref":null}`, input{}, "order_ref is not a string"},
		{"null product", `{"order_ref":"a","product_id":null}`, input{}, "product_id is not a string"},
		{"null price", `{"order_ref":"a","max_price":null}`, input{}, "max_price is not a string"},
		{"null currency", `{"order_ref":"a","currency":null}`, input{}, "currency is not a string"},
		{"null cancel", `{"order_ref":"a","cancel":null}`, input{}, "cancel is neither true nor false"},
		{"cancel as a string", `{"order_ref":"a","cancel":"true"}`, input{}, "cancel is neither true nor false"},
		{"nothing in it", `{}`, input{}, ""}, // the purchase tells what is missing
		{"unknown field", `{"order_ref":"a","maxprice":"1"}`, input{}, `unknown field "maxprice"`},
		{"name in capitals", `{"order_ref":"a","Max_Price":"1"}`, input{}, `unknown field "Max_Price"`},
		{"unknown field with an object", `{"comment":{"order_ref":"a"}}`, input{}, `unknown field "comment"`},
		{"long name is cut short", `{"` + strings.Repeat("x", 5000) + `":1}`, input{}, `unknown field "` + strings.Repeat("x", 40) + `"`},
		{"price as a number", `{"order_ref":"a","product_id":"1","max_price":12.5,"currency":"EUR"}`, input{}, "max_price is not a string"},
		{"order_ref as a list", `{"order_ref":["a"]}`, input{}, "order_ref is not a string"},
		{"product as an object", `{"product_id":{}}`, input{}, "product_id is not a string"},
		{"currency as a bool", `{"currency":true}`, input{}, "currency is not a string"},
		{"two prices", `{"order_ref":"a","max_price":"1","max_price":"100"}`, input{}, `two fields "max_price"`},
		{"two prices, one null", `{"max_price":"1","max_price":null}`, input{}, `two fields "max_price"`},
		{"two objects", `{"order_ref":"a"}{"order_ref":"b"}`, input{}, "not one JSON object"},
		{"text after it", `{"order_ref":"a"} x`, input{}, "not one JSON object"},
		{"null", `null`, input{}, "not one JSON object"},
		{"list", `[{"order_ref":"a"}]`, input{}, "not one JSON object"},
		{"text", `"a"`, input{}, "not one JSON object"},
		{"empty", ``, input{}, "not one JSON object"},
		{"cut short", `{"order_ref":"a"`, input{}, "not one JSON object"},
		{"comma at the end", `{"order_ref":"a",}`, input{}, "not one JSON object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readInput([]byte(tt.payload))
			switch {
			case tt.fault == "" && err != nil:
				t.Errorf("error %v", err)
			case tt.fault != "" && (err == nil || !strings.Contains(err.Error(), tt.fault)):
				t.Errorf("error %v, want one with %q", err, tt.fault)
			case got != tt.want && tt.fault == "":
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}
