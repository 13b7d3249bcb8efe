package main

// commands are all there are, in the order of the help.
func commands() []command {
	return []command{
		{"products", "", "lists G2A's products", listProducts},
		{"price", "PRODUCT_ID", "tells a product's price and stock", checkPrice},
		{"order details", "G2A_ORDER_ID", "tells what G2A says of an order", without(showDetails)},
		{"order list", "", "lists our orders", listOrders},
		{"order show", "ORDER_REF", "shows one of our orders", without(showOrder)},
		{"order retry", "ORDER_REF", "goes on with an order, also with one that needs attention", without(retryOrder)},
	}
}
