package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
)

func offerRow(o g2a.Offer) row {
	return row{
		{"id", o.ID}, {"type", o.Type}, {"product_id", o.ProductID}, {"price", o.Price.Text()}, {"currency", o.Price.Currency},
		{"business_price", priceOrNone(o.BusinessPrice)}, {"visibility", o.Visibility}, {"status", o.Status},
		{"active", valueOrNone(o.Active)}, {"inventory", valueOrNone(o.Inventory)}, {"sold", valueOrNone(o.Sold)},
	}
}

// valueOrNone is what G2A states, or nil.
func valueOrNone[T any](stated *T) any {
	if stated == nil {
		return nil
	}
	return *stated
}

// jobRow shows a job with what it has done to its first resource.
func jobRow(j g2a.Job) row {
	var element g2a.JobElement
	if len(j.Elements) > 0 {
		element = j.Elements[0]
	}
	return row{
		{"job_id", j.ID}, {"status", j.Status}, {"resource_type", element.ResourceType}, {"resource_id", element.ResourceID},
		{"resource_status", element.Status}, {"code", element.Code}, {"message", element.Message},
	}
}

// startedRow is the answer to a change: its job, or none if G2A has done it at once.
func startedRow(jobID string) row { return row{{"job_id", jobID}} }

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

// allOnMarket is for a command that prints a whole list of G2A's, limit entries of it.
func allOnMarket[T any](
	what string, limit *int, list func(context.Context, *g2a.Client) iter.Seq2[T, error], rowOf func(T) row,
) action {
	return func(ctx context.Context, t *tool, _ []string) error {
		market, err := t.access.market(ctx)
		if err != nil {
			return err
		}
		return printAll(t, what, list(ctx, market), *limit, rowOf)
	}
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
	return on(access.market, ask)
}

// on is for a command that opens something, asks it one thing and prints the answer.
func on[T any](open func(access, context.Context) (T, error), ask func(ctx context.Context, opened T, operands []string) (row, error)) action {
	return func(ctx context.Context, t *tool, operands []string) error {
		opened, err := open(t.access, ctx)
		if err != nil {
			return err
		}
		answer, err := ask(ctx, opened, operands)
		if err != nil {
			return err
		}
		return t.one(answer)
	}
}

const shownTo = "whom it is shown to: all, retail or business"

const offerTypes = "dropshipping, game, promo, preorder, physical or steamgift"

func listOffers(flags *flag.FlagSet) action {
	query := g2a.OfferQuery{}
	flags.StringVar((*string)(&query.Type), "type", "", "only offers of this type: "+offerTypes)
	active := boolFlag(flags, "active", "only offers that are active, or are not: `true` or false")
	limit := limitFlag(flags)
	return allOnMarket("offers", limit, func(ctx context.Context, market *g2a.Client) iter.Seq2[g2a.Offer, error] {
		query.Active = *active
		return market.AllOffers(ctx, query)
	}, offerRow)
}

func showOffer(*flag.FlagSet) action {
	return onMarket(func(ctx context.Context, market *g2a.Client, operands []string) (row, error) {
		offer, err := market.Offer(ctx, operands[0])
		return offerRow(offer), err
	})
}

func createOffer(flags *flag.FlagSet) action {
	offer := g2a.NewOffer{}
	flags.StringVar((*string)(&offer.Type), "type", string(g2a.OfferDropshipping), offerTypes)
	flags.StringVar((*string)(&offer.Visibility), "visibility", string(g2a.VisibleRetail), shownTo)
	flags.BoolVar(&offer.Active, "active", true, "whether it is for sale at once")
	price := amountFlag(flags, "price", "its `price`, EUR")
	business := amountFlag(flags, "business-price", "its `price` for businesses, EUR")
	inventory := intFlag(flags, "inventory", "how many `pieces` there are")
	return onMarket(func(ctx context.Context, market *g2a.Client, operands []string) (row, error) {
		if *price == nil {
			return nil, errors.New("--price is missing")
		}
		offer.ProductID, offer.Inventory, offer.Price = operands[0], *inventory, *euros(*price)
		if *business != nil {
			offer.BusinessPrice = *euros(*business)
		}
		job, err := market.CreateOffer(ctx, offer)
		return startedRow(job), err
	})
}

// euros is a flag's amount; nil is absent.
func euros(amount *decimal.Decimal) *g2a.Money {
	if amount == nil {
		return nil
	}
	return &g2a.Money{Amount: *amount, Currency: g2a.ProductCurrency}
}

// changeOffer asks G2A for the offer's type, which a change must name, unless it is given.
func changeOffer(flags *flag.FlagSet) action {
	change := g2a.OfferChange{}
	flags.StringVar((*string)(&change.Type), "type", "", "the offer's own type, asked for if it is not given: "+offerTypes)
	flags.StringVar((*string)(&change.Visibility), "visibility", "", shownTo)
	price := amountFlag(flags, "price", "its `price`, EUR")
	business := amountFlag(flags, "business-price", "its `price` for businesses, EUR")
	inventory := intFlag(flags, "inventory", "how many `pieces` there are")
	active := boolFlag(flags, "active", "whether it is for sale: `true` or false")
	archive := boolFlag(flags, "archive", "whether it is archived: `true` or false")
	return onMarket(func(ctx context.Context, market *g2a.Client, operands []string) (row, error) {
		change.Active, change.Archive, change.Inventory = *active, *archive, *inventory
		change.Price, change.BusinessPrice = euros(*price), euros(*business)
		if change.Type == "" {
			offer, err := market.Offer(ctx, operands[0])
			if err != nil {
				return nil, err
			}
			change.Type = offer.Type
		}
		job, err := market.ChangeOffer(ctx, operands[0], change)
		return startedRow(job), err
	})
}

func deleteOffer(*flag.FlagSet) action {
	return onMarket(func(ctx context.Context, market *g2a.Client, operands []string) (row, error) {
		job, err := market.DeleteOffer(ctx, operands[0])
		return startedRow(job), err
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
	return onMarket(func(ctx context.Context, market *g2a.Client, _ []string) (row, error) {
		collection, err := market.AddInventory(ctx, keys)
		return row{{"collection", collection}, {"keys", len(keys)}}, err
	})(ctx, t, operands)
}

// dropKeys takes one item of an offer's inventory off the market, or all of it.
func dropKeys(flags *flag.FlagSet) action {
	item := flags.String("item", "", "only the item of this `id`")
	return onMarket(func(ctx context.Context, market *g2a.Client, operands []string) (row, error) {
		answer := row{{"offer_id", operands[0]}, {"dropped", cmp.Or(*item, "all")}}
		if *item == "" {
			return answer, market.DeleteInventory(ctx, operands[0])
		}
		return answer, market.DeleteInventoryItem(ctx, operands[0], *item)
	})
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
	flags.IntVar(&query.Days, "days", 0, "of how many days; 0 is G2A's choice")
	flags.Func("product", "only this product; may be given again", func(id string) error {
		query.ProductIDs = append(query.ProductIDs, id)
		return nil
	})
	limit := limitFlag(flags)
	return allOnMarket("bestsellers", limit, func(ctx context.Context, market *g2a.Client) iter.Seq2[g2a.Bestseller, error] {
		return market.AllBestsellers(ctx, query)
	}, func(b g2a.Bestseller) row {
		return row{{"product_id", b.ProductID}, {"sold", b.Sold}}
	})
}

// listCompetitors prints one page, whose order is G2A's.
func listCompetitors(flags *flag.FlagSet) action {
	query := g2a.CompetitorQuery{}
	flags.IntVar(&query.Page, "page", 0, "which page, from 1")
	flags.IntVar(&query.PerPage, "per-page", 0, "how many offers, to 100; 0 is G2A's choice")
	flags.StringVar(&query.Country, "country", "", "with this country's final price, two letters")
	flags.StringVar((*string)(&query.Visibility), "visibility", "", "only those shown to all, retail or business")
	return func(ctx context.Context, t *tool, operands []string) error {
		market, err := t.access.market(ctx)
		if err != nil {
			return err
		}
		page, err := market.CompetitorOffers(ctx, operands[0], query)
		if err != nil {
			return err
		}
		list := t.listing()
		for _, o := range page.Items {
			if err := list.add(row{
				{"id", o.ID}, {"seller", o.Seller.Name}, {"price", o.Price.Text()}, {"currency", o.Price.Currency},
				{"final_price", priceOrNone(o.FinalPrice[query.Country])},
				{"business_price", priceOrNone(o.BusinessPrice)}, {"stock", o.Stock},
			}); err != nil {
				return err
			}
		}
		return list.end()
	}
}

func saleRow(o g2a.SellerOrder) row {
	return row{{"id", o.ID}, {"status", o.Status}, {"items", len(o.Items)}}
}

func listSales(flags *flag.FlagSet) action {
	query := g2a.SellerOrderQuery{}
	flags.Func("status", "only orders of this status; may be given again", func(status string) error {
		query.Statuses = append(query.Statuses, status)
		return nil
	})
	limit := limitFlag(flags)
	return allOnMarket("sales", limit, func(ctx context.Context, market *g2a.Client) iter.Seq2[g2a.SellerOrder, error] {
		return market.AllSellerOrders(ctx, query)
	}, saleRow)
}

func showSale(*flag.FlagSet) action {
	return onMarket(func(ctx context.Context, market *g2a.Client, operands []string) (row, error) {
		order, err := market.SellerOrder(ctx, operands[0])
		return saleRow(order), err
	})
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
		simulation, err := market.SimulatePrice(ctx, operands[0], *euros(*price), *country)
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
