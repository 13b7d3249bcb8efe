package g2atest

import "time"

// stock is what of the catalogue can still be ordered.
type stock struct {
	products []product // of the catalogue, in its order
	place    map[string]int
	left     []int    // by place: pieces neither reserved nor sold
	sold     []int    // by place
	reserved []*order // unpaid, in the order their reservations end
}

func newStock(catalogue []product) stock {
	st := stock{
		products: catalogue,
		place:    make(map[string]int, len(catalogue)),
		left:     make([]int, len(catalogue)),
		sold:     make([]int, len(catalogue)),
	}
	for i, p := range catalogue {
		st.place[p.id], st.left[i] = i, p.quantity
	}
	return st
}

// reserve takes one piece for an order until reservationDuration has passed. It
// reports false when there is none left.
func (st *stock) reserve(o *order) bool {
	if st.left[o.product] == 0 {
		return false
	}
	st.left[o.product]--
	st.reserved = append(st.reserved, o)
	return true
}

// releaseLapsed returns the pieces of the orders that were not paid in time. A payment
// that was accepted keeps its piece however late it settles. All reservations are equally long, so the oldest ends first.
func (st *stock) releaseLapsed(now time.Time) {
	for len(st.reserved) > 0 && !now.Before(st.reserved[0].createdAt.Add(reservationDuration)) {
		if o := st.reserved[0]; !o.accepted {
			o.lapsed = true
			st.left[o.product]++
		}
		st.reserved = st.reserved[1:]
	}
}
