package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
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
		market, err := t.access.market(ctx)
		if err != nil {
			return err
		}
		return printAll(t, "products", market.AllProducts(ctx, query), *limit, productRow)
	}
}

// checkPrice tells what a product costs and whether it can be had.
func checkPrice(flags *flag.FlagSet) action {
	quantity := flags.Int("qty", 1, "how many pieces are wanted")
	limit := amountFlag(flags, "max-price", "the highest `price` for one, EUR")
	return onMarket(func(ctx context.Context, market *g2a.Client, operands []string) (row, error) {
		product, err := market.Product(ctx, operands[0])
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
	return onMarket(func(ctx context.Context, market *g2a.Client, operands []string) (row, error) {
		order, err := market.OrderDetails(ctx, operands[0])
		return row{{"g2a_order_id", order.ID}, {"status", order.Status}, {"price", priceOrNone(order.Price)}, {"currency", order.Price.Currency}}, err
	})
}
