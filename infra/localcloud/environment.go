package localcloud

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/lambda"
	"github.com/g2a-lambda/g2a-lambda/infra/localcloud/template"
)

// environmentFile is a shell's script, under .local, for programs that shall find
// this cloud in the place of AWS and G2A. It holds no credentials of G2A: those are
// in the secret that it names.
const environmentFile = "env"

// writeEnvironment writes the file, as the last thing of the start.
func (c *Cloud) writeEnvironment(context.Context) error {
	root, err := filepath.Abs(c.options.Root)
	if err != nil {
		return fmt.Errorf("finding the root: %w", err)
	}
	variables := c.environment(c.stack.Functions[0], root) // what the template gives to all of them
	maps.Copy(variables, map[string]string{
		"AWS_REGION":              template.Region,
		"AWS_DEFAULT_REGION":      template.Region, // the first version of the AWS CLI's
		"AWS_ACCESS_KEY_ID":       lambda.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY":   lambda.SecretAccessKey,
		"AWS_SESSION_TOKEN":       lambda.SessionToken,
		"AWS_ENDPOINT_URL_LAMBDA": c.addresses.Lambda,
	})
	var script strings.Builder
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		fmt.Fprintf(&script, "export %s='%s'\n", name, strings.ReplaceAll(variables[name], "'", `'\''`))
	}
	if err := os.WriteFile(c.localPath(environmentFile), []byte(script.String()), 0o600); err != nil {
		return fmt.Errorf("writing the environment for other programs: %w", err)
	}
	return nil
}
