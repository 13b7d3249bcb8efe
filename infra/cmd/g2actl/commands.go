package main

// commands are all there are, in the order of the help.
func commands() []command {
	return []command{
		{"products", "", "lists G2A's products", listProducts},
		{"price", "PRODUCT_ID", "tells a product's price and stock", checkPrice},
		{"price simulate", "PRODUCT_ID", "tells what a price comes to, by country", simulatePrice},
		{"bestsellers", "", "lists what sells well", listBestsellers},
		{"competitors", "PRODUCT_ID", "lists what sellers offer of a product", listCompetitors},
		{"sale list", "", "lists orders that buyers placed with us", listSales},
		{"sale show", "SALE_ID", "shows one of them", showSale},
		{"offer list", "", "lists our offers", listOffers},
		{"offer show", "OFFER_ID", "shows one of our offers", showOffer},
		{"offer create", "PRODUCT_ID", "creates an offer, and shows the job that does it", createOffer},
		{"offer change", "OFFER_ID", "changes an offer, and shows the job that does it", changeOffer},
		{"offer delete", "OFFER_ID", "deletes an offer that is not for sale", deleteOffer},
		{"offer drop-keys", "OFFER_ID", "takes an offer's keys off the market", dropKeys},
		{"keys add", "", "gives G2A a collection of keys, one a line on standard input", without(addKeys)},
		{"job", "JOB_ID", "tells how far a job is", showJob},
		{"order details", "G2A_ORDER_ID", "tells what G2A says of an order", showDetails},
		{"order list", "", "lists our orders", listOrders},
		{"order show", "ORDER_REF", "shows one of our orders", without(showOrder)},
		{"order retry", "ORDER_REF", "goes on with an order, also with one that needs attention", without(retryOrder)},
		{"order cancel", "ORDER_REF", "ends an order that is certainly unpaid", without(cancelOrder)},
		{"events list", "", "lists what is kept of webhooks' events", listEvents},
		{"events retry", "EVENT", "tries a parked event again, named by its id or as the list names it", retryEvent},
	}
}
