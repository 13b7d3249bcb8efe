package contracttest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/contracts/contracttest"
)

// samples has a document of each schema that is as it should be.
var samples = map[string]string{
	"price":              `4.99`,
	"g2a-product":        product,
	"g2a-order":          `{"order_id":"80201019921771","price":4.99,"currency":"EUR"}`,
	"webhook-event":      `{"event_id":"evt_1","order_id":"42","type":"order.completed","payload":{"status":"completed"}}`,
	"idempotency-record": `{"pk":"EVENT#e#42#order.completed","attempts":1,"order_status":"completed","body_sha256":"` + sha256 + `","updated_at":1764000000,"sk":"EVENT","status":"done","outcome":"processed","expires_at":1771776000}`,
	"order-input":        `{"order_ref":"demo-1","product_id":"90000000334016","max_price":"5.00","currency":"EUR"}`,
	"order-output":       `{"order_ref":"demo-1","quantity":2,"keys_stored":2,"status":"fulfilled","g2a_order_id":"42","price":"4.99","currency":"EUR"}`,
	"order-updated":      `{"g2a_order_id":"80201019921771","order_ref":"demo-1","status":"completed"}`,
	"token-output":       `{"version":1,"token_expires_at":1764003600,"ttl_seconds":3599}`,
	"health-report":      `{"status":"ok","checked_at":1764000000,"age_seconds":9,"dependencies":{"token":{"status":"ok","latency_ms":3},"store":{"status":"ok","latency_ms":0},"g2a":{"status":"ok","latency_ms":180}},"token_ttl_seconds":3599,"version":"v1.4.0-2-g5d41402"}`,
}

const (
	sha256   = "cf7e47aeb0b9e169b2d6602cba2cd6384e904bd655ed8f2ad92e6a631ba3ceb0"
	recorded = `"sk":"EVENT","status":"done","outcome":"processed","expires_at":1771776000`
	machine  = `{"reqprocessor":"","reqgraphics":"","reqmemory":"","reqdiskspace":"","reqsystem":"","reqother":""}`
	product  = `{"id":"1","name":"","type":"","slug":"","qty":0,"minPrice":4.99,"retail_min_price":9.25,"retailMinBasePrice":9,` +
		`"availableToBuy":false,"thumbnail":"","smallImage":"","coverImage":"","images":["x"],"updated_at":"","release_date":"",` +
		`"region":"","developer":"","publisher":"","platform":"","priceLimit":{"min":null,"max":5.5},` +
		`"requirements":{"minimal":` + machine + `,"recommended":` + machine + `},` +
		`"restrictions":{"pegi_violence":false,"pegi_profanity":false,"pegi_discrimination":false,"pegi_drugs":false,` +
		`"pegi_fear":false,"pegi_gambling":false,"pegi_online":false,"pegi_sex":false},` +
		`"videos":[{"type":"YOUTUBE","url":"x"}],"categories":[{"id":189,"name":"Games"},{"id":"key-file","name":""}]}`
)

func TestSamplesAreValid(t *testing.T) {
	for name, sample := range samples {
		t.Run(name, func(t *testing.T) {
			if err := contracttest.Schema(name).Validate([]byte(sample)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDrift changes one thing of a sample.
func TestDrift(t *testing.T) {
	for name, changes := range map[string]map[string]struct{ old, new, want string }{
		"price": {
			"three decimals":      {`4.99`, `4.999`, "multipleOf"},
			"a text":              {`4.99`, `"4.99"`, "got string, want number"},
			"negative":            {`4.99`, `-0.01`, "minimum"},
			"thirteen digits":     {`4.99`, `1000000000000`, "exclusiveMaximum"},
			"null":                {`4.99`, `null`, "got null, want number"},
			"one cent, exactly":   {`4.99`, `0.01`, ""},
			"seven cents":         {`4.99`, `0.07`, ""},
			"with a zero":         {`4.99`, `5.50`, ""},
			"all twelve digits":   {`4.99`, `999999999999.99`, ""},
			"and three decimals":  {`4.99`, `999999999999.991`, "multipleOf"},
			"whole":               {`4.99`, `5`, ""},
			"more than one value": {`4.99`, `4.99 5`, "not one JSON document"},
		},
		"g2a-product": {
			"a field renamed":       {`"minPrice"`, `"min_price"`, "missing property 'minPrice'"},
			"price is a text":       {`"minPrice":4.99`, `"minPrice":"4.99"`, "'/minPrice': got string"},
			"price, three decimals": {`"minPrice":4.99`, `"minPrice":4.995`, "'/minPrice'"},
			"id is a number":        {`"id":"1"`, `"id":1`, "'/id': got number"},
			"id is empty":           {`"id":"1"`, `"id":""`, "'/id': minLength"},
			"quantity is negative":  {`"qty":0`, `"qty":-1`, "'/qty'"},
			"limit is a text":       {`"min":null`, `"min":"4"`, "'/priceLimit/min'"},
			"limit is missing":      {`"min":null,`, ``, "missing property 'min'"},
			"category id is null":   {`"id":189`, `"id":null`, "'/categories/0/id'"},
			"restriction is 0":      {`"pegi_sex":false`, `"pegi_sex":0`, "'/restrictions/pegi_sex'"},
			"requirement renamed":   {`"reqother"`, `"other"`, "missing property 'reqother'"},
			"time in another form":  {`"updated_at":""`, `"updated_at":"2024-01-31T18:30:00Z"`, "'/updated_at'"},
			"a new field":           {`"id":"1"`, `"id":"1","rating":5`, ""},
		},
		"g2a-order": {
			"id renamed":      {`"order_id"`, `"orderId"`, "missing property 'order_id'"},
			"price is a text": {`4.99`, `"4.99"`, "'/price'"},
			"currency":        {`"EUR"`, `"eur"`, "'/currency'"},
			"an old status":   {`"order_id":"80201019921771"`, `"status":"processing"`, "'/status'"},
			"details":         {`"order_id":"80201019921771"`, `"status":"complete"`, ""},
		},
		"webhook-event": {
			"id is missing":     {`"event_id":"evt_1",`, ``, "missing property 'event_id'"},
			"id with a slash":   {`"evt_1"`, `"evt/1"`, ""},
			"id is a number":    {`"evt_1"`, `17`, ""},
			"id is negative":    {`"evt_1"`, `-17`, "'/event_id'"},
			"id is empty":       {`"evt_1"`, `""`, "'/event_id'"},
			"order is a number": {`"42"`, `123456789012`, ""},
			"order of a slash":  {`"42"`, `"4/2"`, "'/order_id'"},
			"order is null":     {`"42"`, `null`, "'/order_id'"},
			"unknown type":      {`"order.completed"`, `"order.lost"`, "'/type'"},
			"unknown status":    {`{"status":"completed"}`, `{"status":"lost"}`, "'/payload/status'"},
			"payload is a text": {`{"status":"completed"}`, `"completed"`, "'/payload'"},
			"previous status":   {`"completed"}}`, `"completed","previous_status":"processing"}}`, ""},
			"and an odd one":    {`"completed"}}`, `"completed","previous_status":3}}`, ""},
			"a new field":       {`"order_id"`, `"region":"x","order_id"`, ""},
		},
		"idempotency-record": {
			"a new attribute":       {`"sk"`, `"extra":1,"sk"`, "additional properties 'extra'"},
			"another key":           {`EVENT#e#42#`, `EVENT#e#42`, "'/pk'"},
			"no order and type":     {`EVENT#e#42#order.completed`, `EVENT#e##`, ""},
			"key of a status":       {`order.completed`, `order.completed#failed`, ""},
			"key of two statuses":   {`order.completed`, `order.completed#failed#failed`, "'/pk'"},
			"key with an escape":    {`EVENT#e#`, `EVENT#e%20f#`, ""},
			"key with a hash":       {`EVENT#e#`, `EVENT#~` + sha256 + `#`, ""},
			"key with half a hash":  {`EVENT#e#`, `EVENT#~cf7e#`, "'/pk'"},
			"key with a space":      {`EVENT#e#`, `EVENT#e f#`, "'/pk'"},
			"no status stated":      {`"order_status":"completed"`, `"order_status":""`, ""},
			"a status in words":     {`"order_status":"completed"`, `"order_status":"on hold"`, "'/order_status'"},
			"outcome duplicate":     {`"processed"`, `"duplicate"`, "'/outcome'"},
			"done, and parked":      {`"processed"`, `"parked"`, "'/outcome'"},
			"done, with an error":   {`"attempts"`, `"last_error":"x","attempts"`, "'/last_error'"},
			"done, for ever":        {`,"expires_at":1771776000`, ``, "missing property 'expires_at'"},
			"failed":                {`"status":"done","outcome":"processed"`, `"status":"failed","outcome":"parked"`, ""},
			"failed, and processed": {`"status":"done"`, `"status":"failed"`, "'/outcome'"},
			"failed, with a body": {
				`"status":"done","outcome":"processed"`, `"status":"failed","outcome":"parked","body":"e30="`, "'/body'",
			},
			"parked":                           {recorded, `"sk":"PARKED","last_error":"x","body":"e30="`, ""},
			"parked, no body":                  {recorded, `"sk":"PARKED","last_error":"x"`, "missing property 'body'"},
			"parked, no reason":                {recorded, `"sk":"PARKED","body":"e30="`, "missing property 'last_error'"},
			"parked for 90 days":               {recorded, `"sk":"PARKED","last_error":"x","body":"e30=","expires_at":1771776000`, "'/expires_at'"},
			"parked, and done":                 {recorded, `"sk":"PARKED","last_error":"x","body":"e30=","status":"done"`, "'/status'"},
			"hash in capitals":                 {"cf7e", "CF7E", "'/body_sha256'"},
			"time in milliseconds is a number": {`"updated_at":1764000000`, `"updated_at":"1764000000"`, "'/updated_at'"},
		},
		"order-input": {
			"reference alone":        {`,"product_id":"90000000334016","max_price":"5.00","currency":"EUR"`, ``, ""},
			"no reference":           {`"order_ref":"demo-1",`, ``, "missing property 'order_ref'"},
			"no currency":            {`,"currency":"EUR"`, ``, "'currency' required"},
			"several":                {`"currency":"EUR"`, `"currency":"EUR","quantity":50`, ""},
			"too many":               {`"currency":"EUR"`, `"currency":"EUR","quantity":51`, "'/quantity'"},
			"none":                   {`"currency":"EUR"`, `"currency":"EUR","quantity":0`, "'/quantity'"},
			"quantity in a string":   {`"currency":"EUR"`, `"currency":"EUR","quantity":"2"`, "'/quantity'"},
			"quantity alone":         {`,"product_id":"90000000334016","max_price":"5.00","currency":"EUR"`, `,"quantity":2`, "if 'quantity' exists"},
			"no limit":               {`,"max_price":"5.00"`, ``, "'max_price' required"},
			"limit is a number":      {`"5.00"`, `5.00`, "'/max_price': got number"},
			"limit is zero":          {`"5.00"`, `"0.00"`, "'/max_price'"},
			"limit, three decimals":  {`"5.00"`, `"5.005"`, "'/max_price'"},
			"limit with more zeros":  {`"5.00"`, `"5.000"`, ""},
			"limit of one cent":      {`"5.00"`, `"0.01"`, ""},
			"limit with exponent":    {`"5.00"`, `"5e2"`, "'/max_price'"},
			"an unknown field":       {`"currency"`, `"maxPrice":"1","currency"`, "additional properties 'maxPrice'"},
			"product id is a number": {`"90000000334016"`, `90000000334016`, "'/product_id'"},
			"reference with a space": {`demo-1`, `demo 1`, "'/order_ref'"},
		},
		"order-output": {
			"the key":                     {`"status"`, `"product_key":"x","status"`, "additional properties 'product_key'"},
			"unknown status":              {`"fulfilled"`, `"done"`, "'/status'"},
			"price is a number":           {`"4.99"`, `4.99`, "'/price'"},
			"price, one decimal":          {`"4.99"`, `"4.9"`, "'/price'"},
			"price without currency":      {`,"currency":"EUR"`, ``, "'currency' required"},
			"fulfilled, and to wait":      {`"status"`, `"wait_seconds":2,"status"`, "wait_seconds"},
			"waiting without a time":      {`"fulfilled"`, `"waiting"`, "missing property 'wait_seconds'"},
			"failed without a reason":     {`"fulfilled"`, `"failed"`, "missing property 'reason'"},
			"more keys than there can be": {`"quantity":2`, `"quantity":51`, "'/quantity'"},
			"no count of keys":            {`,"keys_stored":2`, ``, "missing property 'keys_stored'"},
			"partly, without a reason":    {`"fulfilled"`, `"partly_fulfilled"`, "missing property 'reason'"},
			"partly fulfilled":            {`"status":"fulfilled"`, `"status":"partly_fulfilled","reason":"out_of_stock"`, ""},
			"an unknown reason":           {`"status":"fulfilled"`, `"status":"failed","reason":"bad luck"`, "'/reason'"},
			"waiting":                     {`"status":"fulfilled"`, `"status":"waiting","wait_seconds":2`, ""},
			"waiting, with a reason":      {`"status":"fulfilled"`, `"status":"waiting","wait_seconds":60,"reason":"insufficient_funds"`, ""},
			"failed before the price":     {`"status":"fulfilled","g2a_order_id":"42","price":"4.99","currency":"EUR"`, `"status":"failed","reason":"out_of_stock"`, ""},
			"fulfilled without an order":  {`"g2a_order_id":"42",`, ``, "missing property 'g2a_order_id'"},
		},
		"order-updated": {
			"the key":           {`"status"`, `"product_key":"x","status"`, "additional properties 'product_key'"},
			"no reference":      {`"order_ref":"demo-1",`, ``, "missing property 'order_ref'"},
			"unknown status":    {`"completed"`, `"lost"`, "'/status'"},
			"the key's prefix":  {`"8020`, `"G2A#8020`, "'/g2a_order_id'"},
			"status is missing": {`,"status":"completed"`, ``, "missing property 'status'"},
		},
		"token-output": {
			"the token":         {`"version"`, `"access_token":"x","version"`, "additional properties 'access_token'"},
			"time as a text":    {`1764003600`, `"2025-11-24T16:00:00Z"`, "'/token_expires_at'"},
			"a version below 0": {`"version":1`, `"version":-1`, "'/version'"},
			"ttl is renamed":    {`"ttl_seconds"`, `"ttl"`, "missing property 'ttl_seconds'"},
			"ttl is negative":   {`3599`, `-1`, "'/ttl_seconds'"},
		},
		"health-report": {
			"ok, with a failing part":    {`"store":{"status":"ok"`, `"store":{"status":"failing"`, "'/status'"},
			"failing, with no such part": {`{"status":"ok","checked_at"`, `{"status":"failing","checked_at"`, "'/status'"},
			"a dependency is missing":    {`"store"`, `"tables"`, "missing property 'store'"},
			"G2A is missing":             {`"g2a"`, `"market"`, "missing property 'g2a'"},
			"no version":                 {`,"version":"v1.4.0-2-g5d41402"`, ``, "missing property 'version'"},
			"an empty version":           {`"v1.4.0-2-g5d41402"`, `""`, "'/version'"},
			"no age":                     {`"age_seconds":9,`, ``, "missing property 'age_seconds'"},
			"too old":                    {`"age_seconds":9`, `"age_seconds":121`, "'/age_seconds'"},
			"latency in seconds":         {`"latency_ms":3`, `"latency_ms":0.003`, "'/dependencies/token/latency_ms'"},
			"the reason":                 {`"latency_ms":3`, `"latency_ms":3,"error":"x"`, "additional properties 'error'"},
		},
	} {
		for change, test := range changes {
			t.Run(name+", "+change, func(t *testing.T) {
				if !strings.Contains(samples[name], test.old) {
					t.Fatalf("the sample has no %s", test.old)
				}
				err := contracttest.Schema(name).Validate([]byte(strings.ReplaceAll(samples[name], test.old, test.new)))
				switch {
				case test.want == "" && err != nil:
					t.Errorf("error is %v, want none", err)
				case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
					t.Errorf("error is %v, want one with %q", err, test.want)
				case err != nil && (strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), name+": ")):
					t.Errorf("error is %q, want one line that begins with %s", err, name)
				}
			})
		}
	}
}

// open are the schemas of what G2A sends, and may add to.
var open = map[string]bool{"g2a-product": true, "g2a-order": true, "webhook-event": true}

// TestEveryFieldIsGuarded takes each field of each sample away, and then makes it
// another type; and adds one to each object. There is no field in a sample that need
// not be there.
func TestEveryFieldIsGuarded(t *testing.T) {
	for name, sample := range samples {
		changed := map[string]bool{}
		for change, document := range variants(t, sample) {
			changed[change[:strings.Index(change, " ")]] = true
			t.Run(name+", "+change, func(t *testing.T) {
				err := contracttest.Schema(name).Validate(document)
				allowed := open[name] && strings.HasPrefix(change, "added ")
				if (err == nil) != allowed {
					t.Errorf("error is %v, want none: %v; the document is %s", err, allowed, document)
				}
			})
		}
		if name != "price" && len(changed) != 3 {
			t.Errorf("%s: changes are %v, want all three", name, changed)
		}
	}
}

// variants gives the documents that differ in one field from a sample, by what is
// different.
func variants(t *testing.T, sample string) map[string][]byte {
	t.Helper()
	root := decode(t, sample)
	found := map[string][]byte{}
	note := func(change string) {
		document, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		found[change] = document
	}
	var walk func(place string, node any)
	walk = func(place string, node any) {
		switch node := node.(type) {
		case map[string]any:
			node["added"] = true
			note("added " + place + "/added")
			delete(node, "added")
			for name, value := range maps.Clone(node) {
				delete(node, name)
				note("removed " + place + "/" + name)
				node[name] = wrongType(value)
				note("changed " + place + "/" + name)
				node[name] = value
				walk(place+"/"+name, value)
			}
		case []any:
			for i, value := range node {
				node[i] = wrongType(value)
				note(fmt.Sprintf("changed %s/%d", place, i))
				node[i] = value
				walk(fmt.Sprintf("%s/%d", place, i), value)
			}
		}
	}
	walk("", root)
	return found
}

// wrongType gives a value of a type that no field has in place of this one.
func wrongType(value any) any {
	if _, list := value.([]any); list {
		return map[string]any{}
	}
	return []any{}
}

func decode(t *testing.T, document string) any {
	t.Helper()
	var value any
	decoder := json.NewDecoder(strings.NewReader(document))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestEverySchemaHasASample(t *testing.T) {
	files, err := filepath.Glob("../schemas/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d schemas (%v)", len(files), err)
	}
	for _, file := range files {
		if samples[strings.TrimSuffix(filepath.Base(file), ".json")] == "" {
			t.Errorf("%s has none", file)
		}
	}
}

func TestUnknownSchemaPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it did not panic")
		}
	}()
	contracttest.Schema("order")
}
