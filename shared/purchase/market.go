package purchase

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

// Market is one of G2A's purchasing APIs, as a purchase uses it.
type Market interface {
	// Product returns the stock and the lowest price of a product.
	Product(ctx context.Context, id string) (g2a.Product, error)
	// ChargesOnCreation reports whether an order is charged as it is created. Then it has
	// all keys, Pay creates it, and Create and Details are not called.
	ChargesOnCreation() bool
	// Create creates an unpaid order for one key.
	Create(ctx context.Context, o Order) (g2a.Order, error)
	// Pay charges the account: for o.G2AOrderID or, if the market charges on creation, for
	// an order of all keys that o.IdempotencyKey names.
	Pay(ctx context.Context, o Order) (Payment, error)
	// Details returns what G2A says of an order.
	Details(ctx context.Context, g2aOrderID string) (g2a.Order, error)
	// Keys returns the keys that G2A gives out now; none yet is no error.
	Keys(ctx context.Context, g2aOrderID string) ([]g2a.Key, error)
}

// Payment is what G2A states of a payment.
type Payment struct {
	G2AOrderID    string    // of the order that is paid
	Price         g2a.Money // of all its keys; zero if G2A states none
	TransactionID string    // "" if G2A states none
}

// Markets returns the markets of a client, by the API that an order is bought through.
func Markets(client *g2a.Client) map[g2a.ExportAPI]Market {
	return map[g2a.ExportAPI]Market{g2a.ExportV1: ExportV1{client}, g2a.ExportV2: ExportV2{client}}
}

// ExportV1 is the market of the Export API v1. Calls is a *g2a.Client.
type ExportV1 struct {
	Calls interface {
		Product(ctx context.Context, id string) (g2a.Product, error)
		CreateOrder(ctx context.Context, productID string, maxPrice g2a.Money) (g2a.Order, error)
		PayOrder(ctx context.Context, orderID string) (transactionID string, err error)
		OrderDetails(ctx context.Context, orderID string) (g2a.Order, error)
		OrderKey(ctx context.Context, orderID string) (g2a.Key, error)
	}
}

// Product implements Market.
func (m ExportV1) Product(ctx context.Context, id string) (g2a.Product, error) {
	return m.Calls.Product(ctx, id)
}

// ChargesOnCreation implements Market.
func (ExportV1) ChargesOnCreation() bool { return false }

// Create implements Market.
func (m ExportV1) Create(ctx context.Context, o Order) (g2a.Order, error) {
	return m.Calls.CreateOrder(ctx, o.ProductID, o.MaxPrice)
}

// Pay implements Market.
func (m ExportV1) Pay(ctx context.Context, o Order) (Payment, error) {
	transaction, err := m.Calls.PayOrder(ctx, o.G2AOrderID)
	return Payment{G2AOrderID: o.G2AOrderID, TransactionID: transaction}, err
}

// Details implements Market.
func (m ExportV1) Details(ctx context.Context, g2aOrderID string) (g2a.Order, error) {
	return m.Calls.OrderDetails(ctx, g2aOrderID)
}

// Keys implements Market. The one key is given out once.
func (m ExportV1) Keys(ctx context.Context, g2aOrderID string) ([]g2a.Key, error) {
	key, err := m.Calls.OrderKey(ctx, g2aOrderID)
	if err != nil {
		return nil, err
	}
	return []g2a.Key{key}, nil
}

// ExportV2 is the market of the Export API v2. Calls is a *g2a.Client.
type ExportV2 struct {
	Calls interface {
		ProductOffer(ctx context.Context, productID string) (g2a.ProductOffer, error)
		PlaceOrder(ctx context.Context, order g2a.NewOrder) (g2a.Order, error)
		OrderKeys(ctx context.Context, orderID string) ([]g2a.Key, error)
	}
}

// Product implements Market.
func (m ExportV2) Product(ctx context.Context, id string) (g2a.Product, error) {
	offer, err := m.Calls.ProductOffer(ctx, id)
	if err != nil {
		return g2a.Product{}, err
	}
	return offer.Product(), nil
}

// ChargesOnCreation implements Market.
func (ExportV2) ChargesOnCreation() bool { return true }

var errNoSuchCall = errors.New("the Export API v2 has no such call")

// Create implements Market.
func (ExportV2) Create(context.Context, Order) (g2a.Order, error) {
	return g2a.Order{}, errNoSuchCall
}

// Details implements Market. No call for an order's details is public.
func (ExportV2) Details(context.Context, string) (g2a.Order, error) {
	return g2a.Order{}, errNoSuchCall
}

// Pay implements Market. The limit is that of one key, which is safe whatever G2A takes it
// for: if it were that of the whole order, it would only refuse.
func (m ExportV2) Pay(ctx context.Context, o Order) (Payment, error) {
	order, err := m.Calls.PlaceOrder(ctx, g2a.NewOrder{
		IdempotencyKey: o.IdempotencyKey, ProductID: o.ProductID, Quantity: o.Quantity, MaxPrice: o.MaxPrice,
	})
	var refused *g2a.Error
	if errors.Is(err, g2a.ErrExists) && errors.As(err, &refused) && refused.ExistingID != "" {
		return Payment{G2AOrderID: refused.ExistingID}, nil // made by an earlier post
	}
	return Payment{G2AOrderID: order.ID, Price: order.Price}, err
}

// Keys implements Market. What G2A answers while keys are not ready is not public, and no
// refusal means that the order is not paid: each of them means that there are none yet. To
// ask again is harmless, and whoever waits too long is told by the order's age.
func (m ExportV2) Keys(ctx context.Context, g2aOrderID string) ([]g2a.Key, error) {
	keys, err := m.Calls.OrderKeys(ctx, g2aOrderID)
	for _, notYet := range []error{g2a.ErrNotFound, g2a.ErrExists, g2a.ErrPaymentNotReady, g2a.ErrInvalidRequest} {
		if errors.Is(err, notYet) {
			return nil, nil
		}
	}
	return keys, err
}

// refSpace is the namespace of the idempotency keys.
var refSpace = uuid.MustParse("5f0e5c0a-6f0b-5d1e-9a63-2b7a0c6de7a1")

// idempotencyKey derives an order's idempotency key from its ref alone: whoever asks for
// the ref, after whatever has been lost here, asks G2A for the same order.
func idempotencyKey(ref string) string { return uuid.NewSHA1(refSpace, []byte(ref)).String() }
