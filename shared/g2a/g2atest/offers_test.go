package g2atest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

const offersPath = "/v3/sales/offers"

// newOffer is the body of a creation at 5.00, active unless more says otherwise.
func newOffer(kind, product, more string) string {
	fields := map[string]json.RawMessage{
		"productId": json.RawMessage(`"` + product + `"`), "price": json.RawMessage(`{"retail":"5.00"}`),
		"active": json.RawMessage("true"), "visibility": json.RawMessage(`"all"`),
	}
	if err := json.Unmarshal([]byte("{"+more+"}"), &fields); err != nil {
		panic(err)
	}
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return `{"offerType":"` + kind + `","variants":[` + string(text) + `]}`
}

// startJob creates an offer and returns the id of its job.
func startJob(t *testing.T, srv *g2atest.Server, token, body string) string {
	t.Helper()
	var started struct{ Data struct{ JobID string } }
	got := send(t, srv, "POST", offersPath, body, token)
	if err := json.Unmarshal([]byte(got.body), &started); err != nil || got.status != http.StatusAccepted || started.Data.JobID == "" {
		t.Fatalf("answer is %d %s, want 202 and a job", got.status, got.body)
	}
	return started.Data.JobID
}

// createOffer makes an offer and returns the id that its job states.
func createOffer(t *testing.T, srv *g2atest.Server, token, body string) string {
	t.Helper()
	id := startJob(t, srv, token, body)
	var job struct {
		Data struct {
			JobID, Status string
			Elements      []struct{ ResourceID, ResourceType, Status string }
		}
	}
	send(t, srv, "GET", "/v3/jobs/"+id, "", token).want(t, &job)
	if job.Data.JobID != id || job.Data.Status != "complete" || len(job.Data.Elements) != 1 ||
		job.Data.Elements[0].ResourceType != "offer" || job.Data.Elements[0].Status != "completed" {
		t.Fatalf("job is %+v, want it complete with an offer", job)
	}
	return job.Data.Elements[0].ResourceID
}

// inventory returns the ids of an offer's items.
func inventory(t *testing.T, srv *g2atest.Server, token, offer string) (ids []string) {
	t.Helper()
	var page struct{ Data []struct{ ID string } }
	send(t, srv, "GET", offersPath+"/"+offer+"/inventory?itemsPerPage=100", "", token).want(t, &page)
	for _, item := range page.Data {
		ids = append(ids, item.ID)
	}
	return ids
}

func TestOfferFromItsCreationToItsDeletion(t *testing.T) {
	srv := newServer(t)
	token := bearer(t, srv)
	id := createOffer(t, srv, token, newOffer("dropshipping", plentiful, `"price":{"retail":"10","business":"9.5"},"inventory":{"size":3}`))
	path := offersPath + "/" + id
	const business = `"businessPrice":"9.50","finalPrice":{"de":"11.90","fr":"12.00","pl":"12.30"},"businessFinalPrice":{"de":"11.31","fr":"11.40","pl":"11.69"},`
	offer := func(prices, visibility, status, active string, size, sold int) string {
		return fmt.Sprintf(`{"data":{"id":"%s","type":"dropshipping","status":"%s","active":%s,"product":{"id":"%s","name":"Brasswick Harbor Steam Key GLOBAL"},`+
			`%s"visibility":"%s","inventory":{"size":%d,"soldCount":%d}}}`, id, status, active, plentiful, prices, visibility, size, sold)
	}
	change := func(variant string) reply {
		return send(t, srv, "PATCH", path, `{"offerType":"dropshipping","variant":{`+variant+`}}`, token)
	}
	want := func(step, want string) {
		t.Helper()
		if got := send(t, srv, "GET", path, "", token); got.status != http.StatusOK || got.body != want {
			t.Fatalf("%s: answer is %d\n%s\nwant\n%s", step, got.status, got.body, want)
		}
	}
	want("as it was made", offer(`"price":"10.00",`+business, "all", "active", "true", 3, 0))
	if _, err := srv.Simulator.Sell(id); err != nil {
		t.Fatal(err)
	}
	want("with one sold", offer(`"price":"10.00",`+business, "all", "active", "true", 2, 1))
	change(`"price":{"retail":"20.00"},"visibility":"retail","active":false,"inventory":{"size":9}`)
	retail := `"price":"20.00","finalPrice":{"de":"23.80","fr":"24.00","pl":"24.60"},`
	want("all at once", offer(retail, "retail", "inactive", "false", 9, 1))
	change(`"active":true,"visibility":"nobody"`).wantFailure(t, http.StatusBadRequest, "BR02")
	want("a refused change", offer(retail, "retail", "inactive", "false", 9, 1))
	change(`"active":true`)
	send(t, srv, "DELETE", path, "", token).wantFailure(t, http.StatusBadRequest, "BR02")
	change(`"archive":true`)
	want("archived", offer(retail, "retail", "archived", "false", 9, 1))
	if _, err := srv.Simulator.Sell(id); err == nil {
		t.Error("an archived offer was sold")
	}
	if got := send(t, srv, "DELETE", path, "", token); got.status != http.StatusAccepted {
		t.Errorf("deletion is answered %d %s", got.status, got.body)
	}
	send(t, srv, "GET", path, "", token).wantFailure(t, http.StatusNotFound, "ERROR")
}

func TestSecondOfferOfAProductIsRefused(t *testing.T) {
	srv := newServer(t)
	token := bearer(t, srv)
	id := createOffer(t, srv, token, newOffer("game", plentiful, ""))
	got := send(t, srv, "POST", offersPath, newOffer("game", plentiful, ""), token)
	if want := `{"data":{"offerId":"` + id + `"}}`; got.status != http.StatusConflict || got.body != want {
		t.Errorf("answer is %d %s, want 409 %s", got.status, got.body, want)
	}
	createOffer(t, srv, token, newOffer("promo", plentiful, ""))
	createOffer(t, srv, token, newOffer("game", cheapest, ""))
	send(t, srv, "PATCH", offersPath+"/"+id, `{"offerType":"game","variant":{"archive":true}}`, token)
	if again := createOffer(t, srv, token, newOffer("game", plentiful, "")); again == id {
		t.Error("the archived offer came back")
	}
}

func TestInventoryIsTakenAway(t *testing.T) {
	srv := newServer(t)
	token := bearer(t, srv)
	offer := createOffer(t, srv, token, newOffer("game", plentiful, `"inventory":{"size":3}`))
	path := offersPath + "/" + offer + "/inventory"
	items := inventory(t, srv, token, offer)
	if len(items) != 3 {
		t.Fatalf("items are %q, want 3", items)
	}
	for _, step := range []struct {
		path         string
		status, left int
	}{{path + "/" + items[1], 204, 2}, {path + "/" + items[1], 404, 2}, {path, 204, 0}, {path, 204, 0}} {
		got := send(t, srv, "DELETE", step.path, "", token)
		if left := len(inventory(t, srv, token, offer)); got.status != step.status || left != step.left {
			t.Errorf("DELETE %s: answer is %d, %d left; want %+v", step.path, got.status, left, step)
		}
	}
	var keys struct {
		Data struct{ CollectionUUID string }
	}
	got := send(t, srv, "POST", offersPath+"/inventory", `{"keys":["A-1","A-2"]}`, token)
	if got.want(t, &keys); len(keys.Data.CollectionUUID) != 36 || strings.Contains(got.body, "A-1") {
		t.Errorf("answer is %s, want a UUID and no key", got.body)
	}
}

// TestPriceChangesAreLimited: five an hour and product, and an hour's lock for the sixth.
func TestPriceChangesAreLimited(t *testing.T) {
	clock := newClock()
	srv := newServer(t, withClock(clock), func(o *g2atest.Options) { o.TokenLife = 24 * time.Hour })
	token := bearer(t, srv)
	game := createOffer(t, srv, token, newOffer("game", plentiful, ""))
	promo := createOffer(t, srv, token, newOffer("promo", plentiful, ""))
	other := createOffer(t, srv, token, newOffer("game", cheapest, ""))
	cents := 100
	change := func(kind, id, variant string) reply {
		return send(t, srv, "PATCH", offersPath+"/"+id, `{"offerType":"`+kind+`","variant":{`+variant+`}}`, token)
	}
	reprice := func(kind, id string) reply {
		cents++
		return change(kind, id, fmt.Sprintf(`"price":{"retail":"%d.%02d"}`, cents/100, cents%100))
	}
	want := func(step string, got reply, status int) {
		t.Helper()
		if got.status != status {
			t.Errorf("%s: answer is %d %s, want %d", step, got.status, got.body, status)
		}
	}
	for i := range 5 {
		want(fmt.Sprint("change ", i+1), reprice([]string{"game", "promo"}[i%2], []string{game, promo}[i%2]), 202)
		clock.Advance(10 * time.Minute)
	}
	want("the same price", change("game", game, `"price":{"retail":"1.05"}`), 202)
	over := reprice("promo", promo)
	over.wantFailure(t, http.StatusTooManyRequests, "BR03")
	want("another product", reprice("game", other), 202)
	want("another field", change("game", game, `"active":false`), 202)
	clock.Advance(time.Hour - 1)
	want("locked", reprice("game", game), 429)
	clock.Advance(1)
	want("not locked any more", reprice("game", game), 202)
}

func TestBadOfferIsRefused(t *testing.T) {
	srv := newServer(t)
	token := bearer(t, srv)
	id := createOffer(t, srv, token, newOffer("game", plentiful, ""))
	item, in := offersPath+"/"+id, offersPath+"/inventory"
	with := func(more string) string { return newOffer("promo", plentiful, more) }
	change := func(variant string) string { return `{"offerType":"game","variant":` + variant + `}` }
	for name, test := range map[string]struct {
		method, path, body, code string
	}{
		"not JSON":               {"POST", offersPath, "{", "BR01"},
		"a list":                 {"POST", offersPath, "[]", "BR02"},
		"no type":                {"POST", offersPath, strings.Replace(with(""), "offerType", "type", 1), "BR02"},
		"unknown type":           {"POST", offersPath, newOffer("gift", plentiful, ""), "BR02"},
		"no variants":            {"POST", offersPath, `{"offerType":"game"}`, "BR02"},
		"two variants":           {"POST", offersPath, `{"offerType":"game","variants":[{},{}]}`, "BR02"},
		"the old shape":          {"POST", offersPath, `{"offerType":"game","productId":"` + plentiful + `","price":5,"visibility":"all"}`, "BR02"},
		"no product":             {"POST", offersPath, with(`"productId":null`), "BR02"},
		"unknown product":        {"POST", offersPath, newOffer("game", "1", ""), "BR02"},
		"no price":               {"POST", offersPath, with(`"price":null`), "BR02"},
		"no retail price":        {"POST", offersPath, with(`"price":{"business":"5.00"}`), "BR02"},
		"price is zero":          {"POST", offersPath, with(`"price":{"retail":"0.00"}`), "BR02"},
		"price is negative":      {"POST", offersPath, with(`"price":{"retail":"-1.00"}`), "BR02"},
		"price is a number":      {"POST", offersPath, with(`"price":{"retail":5}`), "BR02"},
		"price, three decimals":  {"POST", offersPath, with(`"price":{"retail":"5.001"}`), "BR02"},
		"business, no price":     {"POST", offersPath, with(`"price":{"retail":"5.00","business":"x"}`), "BR02"},
		"no visibility":          {"POST", offersPath, with(`"visibility":null`), "BR02"},
		"not stated if active":   {"POST", offersPath, with(`"active":null`), "BR02"},
		"inventory is a number":  {"POST", offersPath, with(`"inventory":5`), "BR02"},
		"inventory without size": {"POST", offersPath, with(`"inventory":{}`), "BR02"},
		"inventory is negative":  {"POST", offersPath, with(`"inventory":{"size":-1}`), "BR02"},
		"inventory is too large": {"POST", offersPath, with(`"inventory":{"size":10001}`), "BR02"},
		"active is a text":       {"PATCH", item, change(`{"active":"yes"}`), "BR02"},
		"a change of nothing":    {"PATCH", item, change(`{}`), "BR02"},
		"another type":           {"PATCH", item, `{"offerType":"promo","variant":{"active":true}}`, "BR02"},
		"change without a type":  {"PATCH", item, `{"variant":{"active":true}}`, "BR02"},
		"change is null":         {"PATCH", item, "null", "BR02"},
		"change is not JSON":     {"PATCH", item, "", "BR01"},
		"no keys":                {"POST", in, `{}`, "BR02"},
		"keys are empty":         {"POST", in, `{"keys":[]}`, "BR02"},
		"a key is empty":         {"POST", in, `{"keys":["A",""]}`, "BR02"},
		"keys are numbers":       {"POST", in, `{"keys":[1]}`, "BR02"},
		"filter by activity":     {"GET", offersPath + "?active=maybe", "", "BR02"},
		"filter by type":         {"GET", offersPath + "?type=gift", "", "BR02"},
		"filter by types":        {"GET", offersPath + "?type[]=gift", "", "BR02"},
		"filter by time":         {"GET", offersPath + "?updatedAtFrom=yesterday", "", "BR02"},
		"page 0":                 {"GET", offersPath + "?page=0", "", "BR02"},
		"page size":              {"GET", offersPath + "?itemsPerPage=101", "", "BR02"},
	} {
		t.Run(name, func(t *testing.T) {
			send(t, srv, test.method, test.path, test.body, token).wantFailure(t, http.StatusBadRequest, test.code)
		})
	}
	for _, route := range []string{
		"GET /v3/sales/offers/1", "PATCH /v3/sales/offers/1", "DELETE /v3/sales/offers/1", "GET /v3/sales/offers/1/inventory",
		"DELETE /v3/sales/offers/1/inventory", "DELETE /v3/sales/offers/1/inventory/1", "GET /v3/jobs/1",
		"GET /v3/products/1/offers", "GET /v3/products/90000000462062/offers", "GET /v3/sales/orders/1",
	} {
		t.Run("not there: "+route, func(t *testing.T) {
			method, path, _ := strings.Cut(route, " ")
			send(t, srv, method, path, "", token).wantFailure(t, http.StatusNotFound, "ERROR")
		})
	}
}

// list is a list of the Import API.
type list struct {
	Data []struct{ ID, ProductID, Status string }
	Meta *struct {
		Page, ItemsPerPage int
		TotalResults       *int
		HasNext            *bool
	}
}

func TestOffersAreListed(t *testing.T) {
	clock := newClock()
	srv := newServer(t, withClock(clock))
	token := bearer(t, srv)
	docs := readPage(t, catalogueFile(t)).Docs
	var ids []string
	for i := range 23 {
		kind, active := "game", "true"
		if i%2 == 1 {
			kind, active = "promo", "false"
		}
		product, _ := docs[i]["id"].(string)
		ids = append(ids, createOffer(t, srv, token, newOffer(kind, product, `"active":`+active)))
		clock.Advance(time.Second)
	}
	for name, test := range map[string]struct {
		query                       string
		count, page, perPage, total int
		first                       string
	}{
		"no query":       {"", 20, 1, 20, 23, ids[0]},
		"the last page":  {"page=2", 3, 2, 20, 23, ids[20]},
		"after the last": {"page=3", 0, 3, 20, 23, ""},
		"smaller pages":  {"itemsPerPage=3&page=2", 3, 2, 3, 23, ids[3]},
		"one large page": {"itemsPerPage=100", 23, 1, 100, 23, ids[0]},
		"by type":        {"type=promo", 11, 1, 20, 11, ids[1]},
		"by types":       {"type[]=promo&type[]=game", 20, 1, 20, 23, ids[0]},
		"by activity":    {"active=true", 12, 1, 20, 12, ids[0]},
		"by both":        {"active=true&type=promo", 0, 1, 20, 0, ""},
		"by time":        {"updatedAtFrom=" + clock.Now().Add(-2*time.Second).UTC().Format(time.RFC3339), 2, 1, 20, 2, ids[21]},
	} {
		t.Run(name, func(t *testing.T) {
			var got list
			answer := send(t, srv, "GET", offersPath+"?"+test.query, "", token)
			answer.want(t, &got)
			if len(got.Data) != test.count || got.Meta.Page != test.page || got.Meta.ItemsPerPage != test.perPage || *got.Meta.TotalResults != test.total {
				t.Errorf("%d offers, %s, want %+v", len(got.Data), answer.body, test)
			}
			if len(got.Data) > 0 && got.Data[0].ID != test.first {
				t.Errorf("the first is %s, want %s", got.Data[0].ID, test.first)
			}
			if !strings.HasPrefix(answer.body, `{"data":[`) {
				t.Errorf("answer is %s, want a list even if it is empty", answer.body)
			}
		})
	}
}

// TestImportOptions: each switch changes what it is there for.
func TestImportOptions(t *testing.T) {
	const created, nothing = `{"data":{"jobId":"`, ""
	for name, test := range map[string]struct {
		set          g2atest.ImportOptions
		method, path string // {offer} and {order} stand for their ids
		body         string
		status       int
		want         string // in the answer
	}{
		"change, 202":      {g2atest.ImportOptions{}, "PATCH", offersPath + "/{offer}", `{"offerType":"game","variant":{"active":false}}`, 202, created},
		"change, 204":      {g2atest.ImportOptions{ChangeStatus: 204}, "PATCH", offersPath + "/{offer}", `{"offerType":"game","variant":{"active":false}}`, 204, nothing},
		"price, number":    {g2atest.ImportOptions{Price: "number"}, "GET", offersPath + "/{offer}", "", 200, `"price":5.00,"finalPrice":{"de":5.95,`},
		"price, nested":    {g2atest.ImportOptions{Price: "nested"}, "GET", offersPath + "/{offer}", "", 200, `"price":{"retail":{"base":{"countryCode":"ALL","currencyCode":"EUR","value":"5.00"}},"business":null},"vis`},
		"simulation":       {g2atest.ImportOptions{SimulatedNumbers: true}, "GET", "/v3/pricing/simulations?price=10&productId=" + plentiful, "", 200, `{"income":{"ALL":8.92}`},
		"sellers, no meta": {g2atest.ImportOptions{NullMeta: true}, "GET", "/v3/products/" + plentiful + "/offers", "", 200, `"meta":null`},
		"best, no meta":    {g2atest.ImportOptions{NullMeta: true}, "GET", "/v3/sales/bestsellers", "", 200, `"meta":null`},
		"orders":           {g2atest.ImportOptions{}, "GET", "/v3/sales/orders", "", 200, `"items":[{"id":`},
		"orders, hasNext":  {g2atest.ImportOptions{HasNext: true}, "GET", "/v3/sales/orders", "", 200, `"meta":{"page":1,"itemsPerPage":20,"hasNext":false}`},
		"orders, next":     {g2atest.ImportOptions{HasNext: true}, "GET", "/v3/sales/orders?itemsPerPage=1", "", 200, `"hasNext":true`},
		"order, one item":  {g2atest.ImportOptions{OneItem: true}, "GET", "/v3/sales/orders/{order}", "", 200, `"items":{"id":`},
	} {
		t.Run(name, func(t *testing.T) {
			srv := newServer(t, func(o *g2atest.Options) { o.Import = test.set })
			token := bearer(t, srv)
			offer := createOffer(t, srv, token, newOffer("game", plentiful, `"inventory":{"size":2}`))
			order, err := srv.Simulator.Sell(offer)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := srv.Simulator.Sell(offer); err != nil {
				t.Fatal(err)
			}
			path := strings.NewReplacer("{offer}", offer, "{order}", order).Replace(test.path)
			if got := send(t, srv, test.method, path, test.body, token); got.status != test.status || !strings.Contains(got.body, test.want) {
				t.Errorf("answer is %d %s, want %d with %s", got.status, got.body, test.status, test.want)
			}
		})
	}
}

func TestBadImportOptionIsRefused(t *testing.T) {
	for want, set := range map[string]g2atest.ImportOptions{
		"Import.ChangeStatus is 200":     {ChangeStatus: 200},
		"Import.JobLooks is negative":    {JobLooks: -1},
		`Import.JobStatus is "ok"`:       {JobStatus: "ok"},
		`Import.ElementStatus is "done"`: {ElementStatus: "done"},
		`Import.Price is "cents"`:        {Price: "cents"},
	} {
		_, err := g2atest.New(g2atest.Options{Credentials: testCredentials, Import: set})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
}

// TestJobs: the words and the looks of the options, and a job that fails does nothing.
func TestJobs(t *testing.T) {
	for name, test := range map[string]struct {
		set   g2atest.ImportOptions
		looks []string // what each look finds of job and element
		made  int
	}{
		"at once":            {g2atest.ImportOptions{}, []string{"complete completed"}, 1},
		"after two looks":    {g2atest.ImportOptions{JobLooks: 2}, []string{"pending", "pending", "complete completed"}, 1},
		"in other words":     {g2atest.ImportOptions{JobStatus: "completed", ElementStatus: "complete"}, []string{"completed complete"}, 1},
		"done":               {g2atest.ImportOptions{JobStatus: "done"}, []string{"done completed"}, 1},
		"failed":             {g2atest.ImportOptions{JobStatus: "failed", JobLooks: 1}, []string{"pending", "failed failed OF01"}, 0},
		"in error":           {g2atest.ImportOptions{JobStatus: "error"}, []string{"error failed OF01"}, 0},
		"its element failed": {g2atest.ImportOptions{ElementStatus: "failed"}, []string{"complete failed OF01"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			srv := newServer(t, func(o *g2atest.Options) { o.Import = test.set })
			token := bearer(t, srv)
			id := startJob(t, srv, token, newOffer("game", plentiful, ""))
			for _, want := range append(test.looks, test.looks[len(test.looks)-1]) {
				var job struct {
					Data struct {
						Status   string
						Elements []struct{ Status, Code string }
					}
				}
				send(t, srv, "GET", "/v3/jobs/"+id, "", token).want(t, &job)
				got := job.Data.Status
				for _, element := range job.Data.Elements {
					got += " " + element.Status + " " + element.Code
				}
				if strings.TrimSpace(got) != want {
					t.Errorf("a look finds %q, want %q", got, want)
				}
			}
			var offers list
			if send(t, srv, "GET", offersPath, "", token).want(t, &offers); len(offers.Data) != test.made {
				t.Errorf("%d offers, want %d", len(offers.Data), test.made)
			}
		})
	}
}

func TestPriceSimulation(t *testing.T) {
	srv := newServer(t)
	token := bearer(t, srv)
	for name, test := range map[string]struct{ query, want string }{
		"all countries": {"price=10", `{"income":{"ALL":"8.92"},"finalePrice":{"DE":"11.90","FR":"12.00","OTHER":"10.00","PL":"12.30"},` +
			`"businessFinalPrice":{"ALL":"10.00"},"businessIncome":{"ALL":"8.92"}}`},
		"one country": {"price=4.99&currency=EUR&country=PL", `{"income":{"PL":"4.45"},"finalePrice":{"PL":"6.14"},` +
			`"businessFinalPrice":{"PL":"4.99"},"businessIncome":{"PL":"4.45"}}`},
		"another country": {"price=0.01&country=XX", `{"income":{"XX":"0.01"},"finalePrice":{"XX":"0.01"},"businessFinalPrice":{"XX":"0.01"},"businessIncome":{"XX":"0.01"}}`},
		"exact": {"price=99999999999.99&country=DE", `{"income":{"DE":"89199999999.99"},"finalePrice":{"DE":"118999999999.99"},` +
			`"businessFinalPrice":{"DE":"99999999999.99"},"businessIncome":{"DE":"89199999999.99"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			got := send(t, srv, "GET", "/v3/pricing/simulations?productId="+plentiful+"&"+test.query, "", token)
			if got.status != http.StatusOK || got.body != test.want {
				t.Errorf("answer is %d\n%s\nwant\n%s", got.status, got.body, test.want)
			}
		})
	}
	for name, query := range map[string]string{
		"no price":        "productId=" + plentiful,
		"bad price":       "price=1e3&productId=" + plentiful,
		"no product":      "price=5",
		"unknown product": "price=5&productId=1",
		"bad currency":    "price=5&currency=euro&productId=" + plentiful,
		"bad country":     "price=5&country=Poland&productId=" + plentiful,
	} {
		t.Run(name, func(t *testing.T) {
			send(t, srv, "GET", "/v3/pricing/simulations?"+query, "", token).wantFailure(t, http.StatusBadRequest, "BR02")
		})
	}
}

func TestBestsellers(t *testing.T) {
	srv := newServer(t)
	token := bearer(t, srv)
	c := client(t, srv)
	for _, product := range []string{asFile, cheapest, asFile} {
		payOrder(t, c, createOrder(t, c, product).ID)
	}
	docs := readPage(t, catalogueFile(t)).Docs
	ask := func(query string) list {
		var got list
		send(t, srv, "GET", "/v3/sales/bestsellers?"+query, "", token).want(t, &got)
		return got
	}
	all := ask("daysNumber=2")
	if *all.Meta.TotalResults != len(docs) || len(all.Data) != 20 {
		t.Errorf("%d of %d products, want 20 of %d", len(all.Data), *all.Meta.TotalResults, len(docs))
	}
	for i, want := range []string{asFile, cheapest, plentiful} {
		if all.Data[i].ProductID != want {
			t.Errorf("number %d is %s, want %s", i+1, all.Data[i].ProductID, want)
		}
	}
	if two := ask("productIds[]=" + plentiful + "&productIds[]=" + cheapest); len(two.Data) != 2 || two.Data[0].ProductID != cheapest {
		t.Errorf("the two are %+v, want %s first", two.Data, cheapest)
	}
	for _, query := range []string{"itemsPerPage=101", "daysNumber=0"} {
		send(t, srv, "GET", "/v3/sales/bestsellers?"+query, "", token).wantFailure(t, http.StatusBadRequest, "BR02")
	}
}

func TestOffersOfCompetitors(t *testing.T) {
	srv := newServer(t)
	token := bearer(t, srv)
	path := "/v3/products/" + lastOne + "/offers"
	got := send(t, srv, "GET", path+"?countryCode=DE&visibility=all", "", token)
	want := `{"data":[{"id":"offer-` + lastOne + `","price":{"retail":{"base":{"countryCode":"DE","currencyCode":"EUR","value":"5.50"},` +
		`"final":[{"countryCode":"DE","currencyCode":"EUR","value":"6.55"}]},"business":null},` +
		`"seller":{"name":"Another Seller","rating":98.5,"ratingsCount":1200,"tier":"gold"},"inventory":{"range":"1"}}],` +
		`"meta":{"page":1,"itemsPerPage":20,"totalResults":1}}`
	if got.status != http.StatusOK || got.body != want {
		t.Errorf("answer is %d\n%s\nwant\n%s", got.status, got.body, want)
	}
	for _, query := range []string{"countryCode=de", "visibility=nobody", "page=0"} {
		send(t, srv, "GET", path+"?"+query, "", token).wantFailure(t, http.StatusBadRequest, "BR02")
	}
	createOrder(t, client(t, srv), lastOne)
	send(t, srv, "GET", path, "", token).wantFailure(t, http.StatusNotFound, "ERROR")
}

func TestOrdersOfTheSeller(t *testing.T) {
	clock := newClock()
	srv := newServer(t, withClock(clock))
	token := bearer(t, srv)
	offer := createOffer(t, srv, token, newOffer("game", plentiful, `"inventory":{"size":2}`))
	var ids []string
	for range 2 {
		id, err := srv.Simulator.Sell(offer)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
		clock.Advance(time.Minute)
	}
	if _, err := srv.Simulator.Sell(offer); err == nil {
		t.Error("a third of two pieces was sold")
	}
	for query, want := range map[string][]string{
		"":                      ids,
		"itemsPerPage=1&page=2": ids[1:],
		"statuses[]=delivery&statuses[]=completed": ids,
		"statuses[]=delivery":                      nil,
		"createdAt[from]=" + clock.Now().Add(-time.Minute).UTC().Format(time.RFC3339): ids[1:],
	} {
		var got list
		send(t, srv, "GET", "/v3/sales/orders?"+query, "", token).want(t, &got)
		var found []string
		for _, order := range got.Data {
			found = append(found, order.ID)
		}
		if strings.Join(found, " ") != strings.Join(want, " ") {
			t.Errorf("%q finds %q, want %q", query, found, want)
		}
	}
	send(t, srv, "GET", "/v3/sales/orders?createdAt[from]=now", "", token).wantFailure(t, http.StatusBadRequest, "BR02")
	if order, err := client(t, srv).SellerOrder(t.Context(), ids[0]); err != nil || order.ID != ids[0] || order.Status != "completed" {
		t.Errorf("order is %+v, error %v", order, err)
	}
}

// TestClientTakesEveryForm: what the options vary is read the same.
func TestClientTakesEveryForm(t *testing.T) {
	for name, set := range map[string]g2atest.ImportOptions{
		"defaults": {},
		"numbers":  {Price: "number", SimulatedNumbers: true, JobStatus: "done", ElementStatus: "complete"},
		"nested":   {Price: "nested", NullMeta: true, HasNext: true, OneItem: true, ChangeStatus: 204, JobStatus: "completed", JobLooks: 1},
	} {
		t.Run(name, func(t *testing.T) {
			srv := newServer(t, func(o *g2atest.Options) { o.Import = set })
			c := client(t, srv)
			sellAndReadBack(t, c, srv, set.ChangeStatus == 204)
		})
	}
}

// sellAndReadBack sells an offer and reads all of it with the client.
func sellAndReadBack(t *testing.T, c *g2a.Client, srv *g2atest.Server, done bool) {
	t.Helper()
	ctx := t.Context()
	euros := func(text string) g2a.Money {
		money, err := g2a.ParseMoney(text, "EUR")
		if err != nil {
			t.Fatal(err)
		}
		return money
	}
	job, err := c.CreateOffer(ctx, g2a.NewOffer{
		Type: g2a.OfferGame, ProductID: plentiful, Price: euros("10"), BusinessPrice: euros("9.5"), Active: true,
		Visibility: g2a.VisibleAll, Inventory: new(2),
	})
	if err != nil {
		t.Fatal(err)
	}
	ended, err := c.WaitJob(ctx, job)
	if err != nil {
		t.Fatal(err)
	}
	offer, err := c.Offer(ctx, ended.ResourceID())
	if err != nil || offer.Price.String() != "10.00 EUR" || offer.BusinessPrice.String() != "9.50 EUR" || *offer.Inventory != 2 {
		t.Errorf("offer is %+v, error %v", offer, err)
	}
	if job, err = c.ChangeOffer(ctx, offer.ID, g2a.OfferChange{Type: offer.Type, Price: new(euros("11"))}); err != nil || (job == "") != done {
		t.Errorf("job is %q, error %v", job, err)
	}
	if _, err := srv.Simulator.Sell(offer.ID); err != nil {
		t.Fatal(err)
	}
	orders := 0
	for order, err := range c.AllSellerOrders(ctx, g2a.SellerOrderQuery{PerPage: 1}) {
		if orders++; err != nil || len(order.Items) != 1 || !strings.HasPrefix(string(order.Items[0]), `{"id":`) {
			t.Errorf("order is %+v, error %v", order, err)
		}
	}
	sellers, err := c.CompetitorOffers(ctx, plentiful, g2a.CompetitorQuery{})
	if err != nil || len(sellers.Items) != 1 || sellers.Items[0].FinalPrice["DE"].String() != "5.94 EUR" || orders != 1 {
		t.Errorf("%d orders, competitors are %+v, error %v", orders, sellers, err)
	}
	simulation, err := c.SimulatePrice(ctx, plentiful, euros("10"), "DE")
	if err != nil || simulation.FinalPrice["DE"].String() != "11.90 EUR" {
		t.Errorf("simulation is %+v, error %v", simulation, err)
	}
	best := 0
	for _, err := range c.AllBestsellers(ctx, g2a.BestsellerQuery{}) {
		if best++; err != nil {
			t.Fatal(err)
		}
	}
	if best != 126 {
		t.Errorf("%d bestsellers, want 126", best)
	}
}
