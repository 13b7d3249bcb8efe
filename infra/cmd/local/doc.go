// Command local is the local cloud: the stack of template.yaml on this machine,
// with the functions' real binaries, and nothing else to install.
//
//	go run ./infra/cmd/local run                  takes one order all the way through
//	go run ./infra/cmd/local up                   starts everything and stays
//	go run ./infra/cmd/local invoke FN EVENTFILE  calls a function of a running cloud
//	go run ./infra/cmd/local event [flags]        writes a freshly signed webhook's event
//
// Run it in the folder of template.yaml, after make build.
//
// It may import the local cloud and its own story.
package main
