package localcloud

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"

	"github.com/g2a-lambda/g2a-lambda/shared/g2a"
	"github.com/g2a-lambda/g2a-lambda/shared/g2a/g2atest"
)

// webhookPath is the route that G2A's webhooks come in on.
const webhookPath = "/webhooks/g2a"

// startG2A starts the simulator, over https: the functions call nothing else.
func (c *Cloud) startG2A(context.Context) error {
	simulator, err := c.options.G2A(g2atest.Options{
		Credentials: c.options.Credentials,
		Catalogue:   c.options.Catalogue,
		WebhookURL:  c.addresses.HTTP + webhookPath,
	})
	if err != nil && c.options.Catalogue != nil {
		return fmt.Errorf("LOCAL_G2A_CATALOGUE: %w", err)
	}
	if err != nil {
		return err
	}
	authority, err := newAuthority()
	if err != nil {
		return err
	}
	if err := authority.write(c.localPath(caFile)); err != nil {
		return err
	}
	c.roots = authority.pool()
	c.serve(c.addresses.G2A, simulator, func(server *http.Server, listener net.Listener) error {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{authority.leaf}, MinVersion: tls.VersionTLS12}
		return server.ServeTLS(listener, "", "")
	})
	c.options.Log.Printf("G2A         %s (simulator, certificate from %s/%s)", c.addresses.G2A, local, caFile)
	return nil
}

// secretValue is what G2A's secret holds.
func secretValue(c g2a.Credentials) g2a.Secret {
	value, _ := json.Marshal(map[string]string{"api_key": c.Key.Reveal(), "api_hash": c.Hash.Reveal()}) // two texts: cannot fail
	return g2a.NewSecret(string(value))
}
