package g2atest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// createOffer makes an offer and gives the id that its job tells.
func createOffer(t *testing.T, srv *g2atest.Server, token, body string) string {
	t.Helper()
	var started struct{ JobID string }
	send(t, srv, "POST", "/v1/offers", body, token).want(t, &started)
	var job struct{ JobID, ResourceID, ResourceType, Status string }
	send(t, srv, "GET", "/v1/jobs/"+started.JobID, "", token).want(t, &job)
	if job.JobID != started.JobID || job.Status != "completed" || job.ResourceType != "offer" || job.ResourceID == "" {
		t.Fatalf("job is %+v, want it completed with an offer", job)
	}
	return job.ResourceID
}

func TestOfferFromItsCreationToItsChange(t *testing.T) {
	srv := newServer(t)
	token := bearer(t, srv)
	id := createOffer(t, srv, token, `{"offerType":"dropshipping","productId":"`+plentiful+`","price":12.50,"visibility":"retail","inventory":{"size":3},"variant":{"edition":"gold"}}`)
	offer := func(price, visibility, status, active string, size int, variant string) string {
		return fmt.Sprintf(`{"id":"%s","offerType":"dropshipping","productId":"%s","price":%s,"visibility":"%s","status":"%s","active":%s,"inventory":{"size":%d},"variant":%s}`,
			id, plentiful, price, visibility, status, active, size, variant)
	}
	steps := []struct {
		name, method, path, body, want string
	}{
		{"as it was made", "GET", "/v1/offers/" + id, "", offer("12.50", "retail", "active", "true", 3, `{"edition":"gold"}`)},
		{"another price", "PATCH", "/v1/offers/" + id, `{"price":0.1}`, offer("0.1", "retail", "active", "true", 3, `{"edition":"gold"}`)},
		{"all at once", "PATCH", "/v1/offers/" + id, `{"price":7,"visibility":"all","active":false,"inventory":{"size":9},"variant":{}}`, offer("7", "all", "inactive", "false", 9, `{}`)},
		{"as it was changed", "GET", "/integration-api/v1/offers/" + id, "", offer("7", "all", "inactive", "false", 9, `{}`)},
	}
	for _, step := range steps {
		if got := send(t, srv, step.method, step.path, step.body, token); got.status != http.StatusOK || got.body != step.want {
			t.Fatalf("%s: answer is %d\n%s\nwant\n%s", step.name, got.status, got.body, step.want)
		}
	}
	var keys struct{ CollectionUUID string }
	send(t, srv, "POST", "/v1/offers/"+id+"/inventory", `{"keys":["A-1","A-2"]}`, token).want(t, &keys)
	if len(keys.CollectionUUID) != 36 {
		t.Errorf("collection is %q, want a UUID", keys.CollectionUUID)
	}
	got := send(t, srv, "GET", "/v1/offers/"+id, "", token)
	if want := offer("7", "all", "inactive", "false", 11, `{}`); got.body != want {
		t.Errorf("with more keys the offer is\n%s\nwant\n%s", got.body, want)
	}
	if strings.Contains(got.body, "A-1") {
		t.Errorf("the offer tells its keys: %s", got.body)
	}
	send(t, srv, "PATCH", "/v1/offers/"+id, `{"price":1,"visibility":"nobody"}`, token).wantFailure(t, http.StatusBadRequest, "BR02")
	if after := send(t, srv, "GET", "/v1/offers/"+id, "", token); after.body != got.body {
		t.Errorf("a refused change left %s, want %s", after.body, got.body)
	}
}

func TestBadOfferIsRefused(t *testing.T) {
	srv := newServer(t)
	token := bearer(t, srv)
	id := createOffer(t, srv, token, `{"offerType":"game","productId":"`+plentiful+`","price":5,"visibility":"all"}`)
	good := map[string]string{"offerType": `"promo"`, "productId": `"` + plentiful + `"`, "price": "5", "visibility": `"all"`}
	with := func(name, value string) string {
		var fields []string
		for n, v := range good {
			if n != name {
				fields = append(fields, fmt.Sprintf("%q:%s", n, v))
			}
		}
		if value != "" {
			fields = append(fields, fmt.Sprintf("%q:%s", name, value))
		}
		return "{" + strings.Join(fields, ",") + "}"
	}
	for name, test := range map[string]struct {
		method, path, body, code string
	}{
		"not JSON":               {"POST", "/v1/offers", "{", "BR01"},
		"a list":                 {"POST", "/v1/offers", "[]", "BR02"},
		"no type":                {"POST", "/v1/offers", with("offerType", ""), "BR02"},
		"unknown type":           {"POST", "/v1/offers", with("offerType", `"gift"`), "BR02"},
		"no product":             {"POST", "/v1/offers", with("productId", ""), "BR02"},
		"unknown product":        {"POST", "/v1/offers", with("productId", `"1"`), "BR02"},
		"no price":               {"POST", "/v1/offers", with("price", ""), "BR02"},
		"price is zero":          {"POST", "/v1/offers", with("price", "0.00"), "BR02"},
		"price is negative":      {"POST", "/v1/offers", with("price", "-1"), "BR02"},
		"price is a text":        {"POST", "/v1/offers", with("price", `"5"`), "BR02"},
		"price, three decimals":  {"POST", "/v1/offers", with("price", "5.001"), "BR02"},
		"no visibility":          {"POST", "/v1/offers", with("visibility", ""), "BR02"},
		"visibility is null":     {"POST", "/v1/offers", with("visibility", "null"), "BR02"},
		"inventory is a number":  {"POST", "/v1/offers", with("inventory", "5"), "BR02"},
		"inventory without size": {"POST", "/v1/offers", with("inventory", "{}"), "BR02"},
		"inventory is negative":  {"POST", "/v1/offers", with("inventory", `{"size":-1}`), "BR02"},
		"variant is a text":      {"POST", "/v1/offers", with("variant", `"gold"`), "BR02"},
		"active is a text":       {"PATCH", "/v1/offers/" + id, `{"active":"yes"}`, "BR02"},
		"change is null":         {"PATCH", "/v1/offers/" + id, "null", "BR02"},
		"change is not JSON":     {"PATCH", "/v1/offers/" + id, "", "BR01"},
		"no keys":                {"POST", "/v1/offers/" + id + "/inventory", `{}`, "BR02"},
		"keys are empty":         {"POST", "/v1/offers/" + id + "/inventory", `{"keys":[]}`, "BR02"},
		"a key is empty":         {"POST", "/v1/offers/" + id + "/inventory", `{"keys":["A",""]}`, "BR02"},
		"keys are numbers":       {"POST", "/v1/offers/" + id + "/inventory", `{"keys":[1]}`, "BR02"},
		"filter by activity":     {"GET", "/v1/offers?active=maybe", "", "BR02"},
		"filter by type":         {"GET", "/v1/offers?offerType=gift", "", "BR02"},
		"page 0":                 {"GET", "/v1/offers?page=0", "", "BR02"},
		"page size":              {"GET", "/v1/offers?perPage=30", "", "BR02"},
	} {
		t.Run(name, func(t *testing.T) {
			send(t, srv, test.method, test.path, test.body, token).wantFailure(t, http.StatusBadRequest, test.code)
		})
	}
	for _, route := range []string{"GET /v1/offers/1", "PATCH /v1/offers/1", "POST /v1/offers/1/inventory", "GET /v1/jobs/1"} {
		t.Run("not there: "+route, func(t *testing.T) {
			method, path, _ := strings.Cut(route, " ")
			send(t, srv, method, path, "{}", token).wantFailure(t, http.StatusNotFound, "")
		})
	}
}

// list is a list of the Import API.
type list struct {
	Data []struct{ ID, ProductID, Name string }
	Meta struct{ CurrentPage, LastPage, PerPage, Total int }
}

func TestOffersAreListed(t *testing.T) {
	srv := newServer(t)
	token := bearer(t, srv)
	var ids []string
	for i := range 23 {
		product, kind, active := plentiful, "game", "true"
		if i%2 == 1 {
			product, kind, active = lastOne, "promo", "false"
		}
		ids = append(ids, createOffer(t, srv, token, `{"offerType":"`+kind+`","productId":"`+product+`","price":5,"visibility":"all","active":`+active+`}`))
	}
	for name, test := range map[string]struct {
		query                                 string
		count, page, lastPage, perPage, total int
		first                                 string
	}{
		"no query":       {"", 10, 1, 3, 10, 23, ids[0]},
		"the last page":  {"page=3", 3, 3, 3, 10, 23, ids[20]},
		"after the last": {"page=4", 0, 4, 3, 10, 23, ""},
		"larger pages":   {"perPage=20&page=2", 3, 2, 2, 20, 23, ids[20]},
		"one large page": {"perPage=100", 23, 1, 1, 100, 23, ids[0]},
		"by product":     {"productId=" + lastOne, 10, 1, 2, 10, 11, ids[1]},
		"by type":        {"offerType=game", 10, 1, 2, 10, 12, ids[0]},
		"by status":      {"status=inactive", 10, 1, 2, 10, 11, ids[1]},
		"by activity":    {"active=true&perPage=20", 12, 1, 1, 20, 12, ids[0]},
		"by both":        {"active=true&productId=" + lastOne, 0, 1, 1, 10, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got list
			answer := send(t, srv, "GET", "/v1/offers?"+test.query, "", token)
			answer.want(t, &got)
			meta := got.Meta
			if len(got.Data) != test.count || meta.CurrentPage != test.page || meta.LastPage != test.lastPage || meta.PerPage != test.perPage || meta.Total != test.total {
				t.Errorf("%d offers, %+v, want %+v", len(got.Data), meta, test)
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

func TestPriceSimulation(t *testing.T) {
	srv := newServer(t)
	token := bearer(t, srv)
	for name, test := range map[string]struct{ query, want string }{
		"all countries": {"price=10", `{"income":{"ALL":8.92},"finalePrice":{"DE":11.90,"FR":12.00,"OTHER":10.00,"PL":12.30},` +
			`"businessFinalPrice":{"ALL":10.00},"businessIncome":{"ALL":8.92}}`},
		"one country":     {"price=4.99&country=PL", `{"income":{"PL":4.45},"finalePrice":{"PL":6.14},"businessFinalPrice":{"PL":4.99},"businessIncome":{"PL":4.45}}`},
		"another country": {"price=0.01&country=XX", `{"income":{"XX":0.01},"finalePrice":{"XX":0.01},"businessFinalPrice":{"XX":0.01},"businessIncome":{"XX":0.01}}`},
		"exact":           {"price=99999999999.99&country=DE", `{"income":{"DE":89199999999.99},"finalePrice":{"DE":118999999999.99},"businessFinalPrice":{"DE":99999999999.99},"businessIncome":{"DE":89199999999.99}}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := send(t, srv, "GET", "/v1/prices/simulations?productId="+plentiful+"&"+test.query, "", token); got.status != http.StatusOK || got.body != test.want {
				t.Errorf("answer is %d\n%s\nwant\n%s", got.status, got.body, test.want)
			}
		})
	}
	for name, query := range map[string]string{
		"no price":        "productId=" + plentiful,
		"bad price":       "price=1e3&productId=" + plentiful,
		"no product":      "price=5",
		"unknown product": "price=5&productId=1",
		"bad country":     "price=5&country=Poland&productId=" + plentiful,
	} {
		t.Run(name, func(t *testing.T) {
			send(t, srv, "GET", "/v1/prices/simulations?"+query, "", token).wantFailure(t, http.StatusBadRequest, "BR02")
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
		send(t, srv, "GET", "/v1/bestsellers?"+query, "", token).want(t, &got)
		return got
	}
	all := ask("perPage=20")
	if all.Meta.Total != len(docs) || len(all.Data) != 20 {
		t.Errorf("%d of %d products, want 20 of %d", len(all.Data), all.Meta.Total, len(docs))
	}
	for i, want := range []string{asFile, cheapest, plentiful} {
		if all.Data[i].ProductID != want {
			t.Errorf("number %d is %s, want %s", i+1, all.Data[i].ProductID, want)
		}
	}
	for name, test := range map[string]struct {
		query string
		first string
		total int
	}{
		"category by id":      {"category=key-file", asFile, 5},
		"category by number":  {"category=640", "", 6},
		"category by name":    {"category=Gift+Cards", "", 6},
		"unknown category":    {"category=64", "", 0},
		"category, platform":  {"category=key-file&platform=pc", asFile, 5},
		"the other platform":  {"category=key-file&platform=steam", "", 0},
		"what was sold comes": {"platform=STEAM", cheapest, -1},
	} {
		t.Run(name, func(t *testing.T) {
			got := ask(test.query)
			if test.total >= 0 && got.Meta.Total != test.total {
				t.Errorf("total is %d, want %d", got.Meta.Total, test.total)
			}
			if test.first != "" && got.Data[0].ProductID != test.first {
				t.Errorf("the first is %s, want %s", got.Data[0].ProductID, test.first)
			}
		})
	}
	send(t, srv, "GET", "/v1/bestsellers?perPage=7", "", token).wantFailure(t, http.StatusBadRequest, "BR02")
}
