package g2atest

import (
	"fmt"
	"slices"
	"time"
)

// sellerOrder is an order for one of the seller's offers. The shape of its items is made up.
type sellerOrder struct {
	id        string
	createdAt time.Time
	item      soldItem
}

type soldItem struct {
	ID        string `json:"id"`
	ProductID string `json:"productId"`
	OfferID   string `json:"offerId"`
	Quantity  int    `json:"quantity"`
	Price     string `json:"price"`
	Currency  string `json:"currency"`
}

// sellerOrderStatus is that of every order: delivered at once.
const sellerOrderStatus = "completed"

type sellerOrderDocument struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Items  any    `json:"items"` // a list, or its only item
}

// Sell has a buyer take one piece of an active offer, and returns the order's id.
func (s *Simulator) Sell(offerID string) (orderID string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.offer(offerID)
	if o == nil || !o.active || len(o.items) == 0 {
		return "", fmt.Errorf("g2a simulator: offer %q is not for sale", offerID)
	}
	o.items, o.sold = o.items[1:], o.sold+1
	order := sellerOrder{id: s.randomUUID(), createdAt: s.options.Clock(), item: soldItem{
		ID: s.randomUUID(), ProductID: o.productID, OfferID: o.id, Quantity: 1,
		Price: o.retail.StringFixed(2), Currency: currency,
	}}
	s.sales = append(s.sales, order)
	return order.id, nil
}

// listSellerOrders is GET /v3/sales/orders, the oldest order first.
func (s *Simulator) listSellerOrders(c *call) answer {
	part, failure := parsePaging(c.query)
	if failure != nil {
		return *failure
	}
	from, failure := since(c.query, "createdAt[from]")
	if failure != nil {
		return *failure
	}
	statuses, found := c.query["statuses[]"], []sellerOrderDocument{}
	for _, order := range s.sales {
		if (len(statuses) == 0 || slices.Contains(statuses, sellerOrderStatus)) && !order.createdAt.Before(from) {
			found = append(found, s.saleDocument(order))
		}
	}
	page := pageOf(found, part)
	if s.options.Import.HasNext {
		page = page.withHasNext()
	}
	return ok(page)
}

// getSellerOrder is GET /v3/sales/orders/{orderId}.
func (s *Simulator) getSellerOrder(c *call) answer {
	for _, order := range s.sales {
		if order.id == c.value("orderId") {
			return ok(oneOf[sellerOrderDocument]{s.saleDocument(order)})
		}
	}
	return notFound("Order")
}

func (s *Simulator) saleDocument(order sellerOrder) sellerOrderDocument {
	document := sellerOrderDocument{ID: order.id, Status: sellerOrderStatus, Items: []soldItem{order.item}}
	if s.options.Import.OneItem {
		document.Items = order.item
	}
	return document
}
