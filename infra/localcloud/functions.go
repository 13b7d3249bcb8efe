package localcloud

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/lambda"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/template"
)

// local is the folder under the root for what a running cloud leaves behind.
const local = ".local"

func (c *Cloud) localPath(elements ...string) string {
	return filepath.Join(append([]string{c.options.Root, local}, elements...)...)
}

// startFunctions makes the Lambda and serves its Invoke API. Processes start when
// they are needed.
func (c *Cloud) startFunctions(ctx context.Context) error {
	daemon, err := c.startXRay(ctx)
	if err != nil {
		return err
	}
	root, err := filepath.Abs(c.options.Root)
	if err != nil {
		return fmt.Errorf("finding the root: %w", err)
	}
	var functions []lambda.Function
	for _, f := range c.stack.Functions {
		functions = append(functions, lambda.Function{
			LogicalID:   f.LogicalID,
			Name:        f.Name,
			Alias:       f.Alias,
			Bootstrap:   filepath.Join(root, binary(f)),
			Handler:     f.Handler,
			Timeout:     f.Timeout,
			MemoryMB:    f.MemoryMB,
			JSONLogs:    f.JSONLogs,
			LogGroup:    f.LogGroup,
			Environment: c.environment(f, root),
		})
		c.options.Log.Printf("function    %s: %s, time-out %s", f.LogicalID, binary(f), f.Timeout)
	}
	c.functions, err = lambda.New(lambda.Options{
		Functions:   functions,
		Region:      template.Region,
		AccountID:   template.AccountID,
		Concurrency: c.options.Concurrency,
		XRayDaemon:  daemon,
		LogDir:      c.localPath("logs"),
		Log:         c.options.Log,
	})
	if err != nil {
		return err
	}
	c.closers = append(c.closers, c.functions.Close)
	c.serve(c.addresses.Lambda, c.functions.API(), (*http.Server).Serve)
	return nil
}

// environment gives a function the template's variables, and on top what makes it
// find the services here instead of AWS and G2A.
func (c *Cloud) environment(f template.Function, root string) map[string]string {
	variables := maps.Clone(f.Environment)
	maps.Copy(variables, map[string]string{
		"AWS_ENDPOINT_URL_DYNAMODB":        c.addresses.DynamoDB,
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": c.addresses.Secrets,
		"G2A_API_URL":                      c.addresses.G2A,
		"G2A_ALLOWED_HOSTS":                strings.TrimPrefix(c.addresses.G2A, "https://"),
		"SSL_CERT_FILE":                    filepath.Join(root, local, caFile),
	})
	return variables
}
