package g2atest

import "net/http"

type itemKeys struct {
	Item itemBody  `json:"item"`
	Keys []codeKey `json:"keys"`
}

type itemBody struct {
	ID string `json:"id"`
}

type codeKey struct {
	Code string `json:"code"`
}

// orderKeys is GET /orders/{id}/keys of the Export API v2: the keys that are there, as
// often as they are asked for or, with V2Options.KeysOnce, once each.
func (s *Simulator) orderKeys(c *call) answer {
	o := s.find(c, true)
	if o == nil {
		return failV2(http.StatusNotFound, codeV2NotFound, "Order not found")
	}
	o.keyCalls++
	switch {
	case !c.now.Before(o.createdAt.Add(s.options.V2.KeysFor)):
		return failV2(http.StatusGone, codeV2Gone, "The keys are no longer kept")
	case o.status(c.now, s.options.CompleteAfter) != statusComplete:
		if o.paid() && o.pendingLeft > 0 {
			o.pendingLeft--
		}
		return s.pendingKeys()
	}
	o.readyCalls++
	from, to := 0, max(0, len(o.keys)-max(0, s.options.V2.PartialKeys-o.readyCalls+1))
	if s.options.V2.KeysOnce {
		from = o.keysRevealed
	}
	s.tally.keysRevealed += to - o.keysRevealed
	o.keysRevealed = to
	if from == to {
		return ok(v2Data{Data: []itemKeys{}})
	}
	entry := itemKeys{Item: itemBody{ID: o.itemID}}
	for _, code := range codes(o.keys[from:to]) {
		entry.Keys = append(entry.Keys, codeKey{Code: code})
	}
	return ok(v2Data{Data: []itemKeys{entry}})
}

// pendingKeys is the answer while there are no keys yet.
func (s *Simulator) pendingKeys() answer {
	switch s.options.V2.Pending {
	case pendingNotFound:
		return failV2(http.StatusNotFound, codeV2NotFound, "Keys not found")
	case pendingConflict:
		return failV2(http.StatusConflict, codeV2Pending, "Payment is pending")
	case pendingAccepted:
		return answer{status: http.StatusAccepted, body: v2Data{Data: itemBody{ID: "pending"}}}
	}
	return ok(v2Data{Data: []itemKeys{}})
}

// codes are keys as the client gets them.
func codes(keys []drawnKey) []string {
	texts := make([]string, len(keys))
	for i, key := range keys {
		texts[i] = key.text()
	}
	return texts
}
