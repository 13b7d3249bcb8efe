package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/purchase"
)

func productRow(p g2a.Product) row {
	return row{
		{"id", p.ID}, {"name", p.Name}, {"qty", p.Quantity}, {"min_price", priceOrNone(p.MinPrice)}, {"currency", p.MinPrice.Currency},
		{"platform", p.Platform}, {"region", p.Region}, {"odd", oddFields(p)},
	}
}

// oddFields names the fields that are not as G2A documents them: "priceLimit, images".
func oddFields(p g2a.Product) string {
	names := make([]string, len(p.Odd))
	for i, odd := range p.Odd {
		names[i] = cmp.Or(odd.Field, "all of it")
	}
	return strings.Join(names, ", ")
}

// amountFlag is a flag of a price in EUR.
func amountFlag(flags *flag.FlagSet, name, about string) **decimal.Decimal {
	var amount *decimal.Decimal
	flags.Func(name, about, func(text string) error {
		money, err := g2a.ParseMoney(text, g2a.ProductCurrency)
		if err != nil {
			return err
		}
		amount = &money.Amount
		return nil
	})
	return &amount
}

// listProducts prints the catalogue, as much of it as is asked for.
func listProducts(flags *flag.FlagSet) action {
	var query g2a.ProductQuery
	flags.IntVar(&query.MinQuantity, "min-qty", 0, "only products with at least so many pieces in stock")
	flags.BoolVar(&query.IncludeOutOfStock, "all", false, "also products that are out of stock")
	from := amountFlag(flags, "min-price", "only products at this `price` or more, EUR")
	to := amountFlag(flags, "max-price", "only products at this `price` or less, EUR")
	limit := limitFlag(flags)
	return func(ctx context.Context, t *tool, _ []string) error {
		query.MinPriceFrom, query.MinPriceTo = *from, *to
		cfg, err := g2a.ParseConfig(t.access.lookup)
		if err != nil {
			return err
		}
		market, err := t.access.market(ctx)
		if err != nil {
			return err
		}
		if cfg.ExportAPI == g2a.ExportV2 {
			if query.MinQuantity > 0 || query.MinPriceFrom != nil || query.MinPriceTo != nil {
				return errors.New("the Export API v2 does not select products by stock or price")
			}
			return printAll(t, "products", offered(market.AllProductOffers(ctx, g2a.ProductOfferQuery{PerPage: 100}), query.IncludeOutOfStock), *limit, productRow)
		}
		return printAll(t, "products", market.AllProducts(ctx, query), *limit, productRow)
	}
}

// offered returns the products of the Export API v2, those out of stock only where they
// are asked for.
func offered(offers iter.Seq2[g2a.ProductOffer, error], all bool) iter.Seq2[g2a.Product, error] {
	return func(yield func(g2a.Product, error) bool) {
		for offer, err := range offers {
			if err == nil && offer.Quantity == 0 && !all {
				continue
			}
			if !yield(offer.Product(), err) {
				return
			}
		}
	}
}

// checkPrice tells what a product costs and whether it can be had.
func checkPrice(flags *flag.FlagSet) action {
	quantity := flags.Int("qty", 1, "how many pieces are wanted")
	limit := amountFlag(flags, "max-price", "the highest `price` for one, EUR")
	return on(access.shop, func(ctx context.Context, shop purchase.Market, operands []string) (row, error) {
		product, err := shop.Product(ctx, operands[0])
		if err != nil {
			return nil, err
		}
		answer := "yes"
		switch {
		case product.Quantity < *quantity:
			answer = fmt.Sprintf("no, %d in stock", product.Quantity)
		case *limit != nil && product.MinPrice.Amount.GreaterThan(**limit):
			answer = "no, too dear"
		}
		return append(productRow(product), cell{"to_be_had", answer}), nil
	})
}

// showDetails prints what G2A says of an order of its own.
func showDetails(*flag.FlagSet) action {
	return on(access.shop, func(ctx context.Context, shop purchase.Market, operands []string) (row, error) {
		order, err := shop.Details(ctx, operands[0])
		return row{{"g2a_order_id", order.ID}, {"status", order.Status}, {"price", priceOrNone(order.Price)}, {"currency", order.Price.Currency}}, err
	})
}
