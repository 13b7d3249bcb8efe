package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

func offerRow(o g2a.Offer) row {
	var inventory any
	if o.Inventory != nil {
		inventory = *o.Inventory
	}
	return row{
		{"id", o.ID}, {"type", o.Type}, {"product_id", o.ProductID}, {"price", o.Price.Text()}, {"currency", o.Price.Currency},
		{"visibility", o.Visibility}, {"status", o.Status}, {"active", o.Active}, {"inventory", inventory},
	}
}

func jobRow(j g2a.Job) row {
	return row{
		{"job_id", j.ID}, {"status", j.Status}, {"resource_type", j.ResourceType}, {"resource_id", j.ResourceID},
		{"code", j.Code}, {"message", j.Message},
	}
}

// boolFlag is a flag that may be absent, true or false.
func boolFlag(flags *flag.FlagSet, name, about string) **bool {
	var value *bool
	flags.Func(name, about, func(text string) error {
		b, err := strconv.ParseBool(text)
		if err != nil {
			return errors.New("is neither true nor false")
		}
		value = &b
		return nil
	})
	return &value
}

// intFlag is a flag that may be absent.
func intFlag(flags *flag.FlagSet, name, about string) **int {
	var value *int
	flags.Func(name, about, func(text string) error {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return errors.New("is not a whole number")
		}
		value = &n
		return nil
	})
	return &value
}

// printAll prints a listing as it comes, with its progress.
func printAll[T any](t *tool, what string, all iter.Seq2[T, error], limit int, rowOf func(T) row) error {
	list, n := t.listing(), 0
	for entry, err := range all {
		if err != nil {
			t.counted()
			return errors.Join(list.end(), err)
		}
		n++
		t.counting(what, n)
		if err := list.add(rowOf(entry)); err != nil {
			return err
		}
		if n == limit {
			break
		}
	}
	t.counted()
	return list.end()
}

// countries are all that a simulation tells of, sorted.
func countries(simulation g2a.PriceSimulation) []string {
	all := map[string]bool{}
	for _, amounts := range []map[string]g2a.Money{simulation.FinalPrice, simulation.Income, simulation.BusinessFinalPrice, simulation.BusinessIncome} {
		for country := range amounts {
			all[country] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func limitFlag(flags *flag.FlagSet) *int {
	return flags.Int("limit", 0, "stop after so many; 0 is all")
}

// onMarket is for a command that asks G2A one thing and prints the answer.
func onMarket(ask func(ctx context.Context, market *g2a.Client, operands []string) (row, error)) action {
	return func(ctx context.Context, t *tool, operands []string) error {
		market, err := t.access.market(ctx)
		if err != nil {
			return err
		}
		answer, err := ask(ctx, market, operands)
		if err != nil {
			return err
		}
		return t.one(answer)
	}
}

func listOffers(flags *flag.FlagSet) action {
	query := g2a.OfferQuery{}
	flags.StringVar(&query.ProductID, "product", "", "only offers of this product")
	flags.StringVar((*string)(&query.Status), "status", "", "only offers of this status")
	flags.StringVar((*string)(&query.Type), "type", "", "only offers of this type: dropshipping, promo, steamgift, game, preorder")
	active, limit := boolFlag(flags, "active", "only offers that are active, or are not: `true` or false"), limitFlag(flags)
	return func(ctx context.Context, t *tool, _ []string) error {
		query.Active = *active
		market, err := t.access.market(ctx)
		if err != nil {
			return err
		}
		return printAll(t, "offers", market.AllOffers(ctx, query), *limit, offerRow)
	}
}

func showOffer(*flag.FlagSet) action {
	return onMarket(func(ctx context.Context, market *g2a.Client, operands []string) (row, error) {
		offer, err := market.Offer(ctx, operands[0])
		return offerRow(offer), err
	})
}

func createOffer(flags *flag.FlagSet) action {
	offer := g2a.NewOffer{}
	flags.StringVar((*string)(&offer.Type), "type", string(g2a.OfferDropshipping), "dropshipping, promo, steamgift, game or preorder")
	flags.StringVar((*string)(&offer.Visibility), "visibility", string(g2a.VisibleRetail), "whom it is shown to")
	price, inventory := amountFlag(flags, "price", "its `price`, EUR"), intFlag(flags, "inventory", "how many `pieces` there are")
	return onMarket(func(ctx context.Context, market *g2a.Client, operands []string) (row, error) {
		if *price == nil {
			return nil, errors.New("--price is missing")
		}
		offer.ProductID, offer.Inventory = operands[0], *inventory
		offer.Price = g2a.Money{Amount: **price, Currency: g2a.ProductCurrency}
		job, err := market.CreateOffer(ctx, offer)
		return row{{"job_id", job}}, err
	})
}

func changeOffer(flags *flag.FlagSet) action {
	change := g2a.OfferChange{}
	flags.StringVar((*string)(&change.Visibility), "visibility", "", "whom it is shown to")
	price, inventory := amountFlag(flags, "price", "its `price`, EUR"), intFlag(flags, "inventory", "how many `pieces` there are")
	active := boolFlag(flags, "active", "whether it is for sale: `true` or false")
	return onMarket(func(ctx context.Context, market *g2a.Client, operands []string) (row, error) {
		change.Active, change.Inventory = *active, *inventory
		if *price != nil {
			change.Price = &g2a.Money{Amount: **price, Currency: g2a.ProductCurrency}
		}
		offer, err := market.ChangeOffer(ctx, operands[0], change)
		return offerRow(offer), err
	})
}

// addKeys reads keys from standard input, one a line, so that none stands in a
// shell's history.
func addKeys(ctx context.Context, t *tool, operands []string) error {
	var keys []g2a.Secret
	lines := bufio.NewScanner(t.in)
	for lines.Scan() {
		if key := strings.TrimSpace(lines.Text()); key != "" {
			keys = append(keys, g2a.NewSecret(key))
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading the keys from standard input: %w", err)
	}
	if len(keys) == 0 {
		return errors.New("there is no key on standard input, where one a line is read")
	}
	return onMarket(func(ctx context.Context, market *g2a.Client, operands []string) (row, error) {
		collection, err := market.AddInventory(ctx, operands[0], keys)
		return row{{"collection", collection}, {"keys", len(keys)}}, err
	})(ctx, t, operands)
}

func showJob(flags *flag.FlagSet) action {
	wait := flags.Bool("wait", false, "ask again until it has ended")
	return onMarket(func(ctx context.Context, market *g2a.Client, operands []string) (row, error) {
		ask := market.Job
		if *wait {
			ask = market.WaitJob
		}
		job, err := ask(ctx, operands[0])
		return jobRow(job), err
	})
}

func listBestsellers(flags *flag.FlagSet) action {
	query := g2a.BestsellerQuery{}
	flags.StringVar(&query.Category, "category", "", "only of this category")
	flags.StringVar(&query.Platform, "platform", "", "only for this platform")
	limit := limitFlag(flags)
	return func(ctx context.Context, t *tool, _ []string) error {
		market, err := t.access.market(ctx)
		if err != nil {
			return err
		}
		return printAll(t, "bestsellers", market.AllBestsellers(ctx, query), *limit, func(b g2a.Bestseller) row {
			return row{{"product_id", b.ProductID}, {"name", b.Name}, {"platform", b.Platform}, {"min_price", priceOrNone(b.MinPrice)}}
		})
	}
}

// simulatePrice prints what a price comes to, a row for each country.
func simulatePrice(flags *flag.FlagSet) action {
	price := amountFlag(flags, "price", "the `price`, EUR")
	country := flags.String("country", "", "only this country, two letters")
	return func(ctx context.Context, t *tool, operands []string) error {
		if *price == nil {
			return errors.New("--price is missing")
		}
		market, err := t.access.market(ctx)
		if err != nil {
			return err
		}
		simulation, err := market.SimulatePrice(ctx, operands[0], g2a.Money{Amount: **price, Currency: g2a.ProductCurrency}, *country)
		if err != nil {
			return err
		}
		list := t.listing()
		for _, country := range countries(simulation) {
			if err := list.add(row{
				{"country", country},
				{"final_price", priceOrNone(simulation.FinalPrice[country])}, {"income", priceOrNone(simulation.Income[country])},
				{"business_final_price", priceOrNone(simulation.BusinessFinalPrice[country])}, {"business_income", priceOrNone(simulation.BusinessIncome[country])},
			}); err != nil {
				return err
			}
		}
		return list.end()
	}
}
