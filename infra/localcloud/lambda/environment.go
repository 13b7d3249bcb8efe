package lambda

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// Dummy credentials, the same in every function and for all who prepare data for
// them: DynamoDB Local keeps a database for each access key and region.
const (
	AccessKeyID     = "local"
	SecretAccessKey = "local"
	SessionToken    = "local"
)

// environment gives an instance its variables: Lambda's, the function's own, and
// nothing of ours. AWS_EXECUTION_ENV is left out as on AWS: only managed runtimes
// have it.
func (s *Service) environment(f Function, runtimeAPI string) []string {
	group, format := f.LogGroup, "Text"
	if group == "" {
		group = "/aws/lambda/" + f.Name
	}
	if f.JSONLogs {
		format = "JSON"
	}
	variables := map[string]string{
		"AWS_ACCESS_KEY_ID":               AccessKeyID,
		"AWS_SECRET_ACCESS_KEY":           SecretAccessKey,
		"AWS_SESSION_TOKEN":               SessionToken,
		"AWS_REGION":                      s.options.Region,
		"AWS_DEFAULT_REGION":              s.options.Region,
		"AWS_LAMBDA_RUNTIME_API":          runtimeAPI,
		"AWS_LAMBDA_FUNCTION_NAME":        f.Name,
		"AWS_LAMBDA_FUNCTION_VERSION":     latest,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(f.MemoryMB),
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_FORMAT":           format,
		"AWS_LAMBDA_LOG_GROUP_NAME":       group,
		"AWS_LAMBDA_LOG_STREAM_NAME":      fmt.Sprintf("%s/[%s]%s", time.Now().UTC().Format("2006/01/02"), latest, randomHex(16)),
		"AWS_XRAY_CONTEXT_MISSING":        "LOG_ERROR",
		"AWS_XRAY_DAEMON_ADDRESS":         s.options.XRayDaemon,
		"LAMBDA_RUNTIME_DIR":              "/var/runtime",
		"LAMBDA_TASK_ROOT":                filepath.Dir(f.Bootstrap),
		"LANG":                            "en_US.UTF-8",
		"PATH":                            "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
		"TZ":                              ":UTC",
		"_HANDLER":                        f.Handler,
	}
	maps.Copy(variables, f.Environment)
	var environment []string
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		environment = append(environment, name+"="+variables[name])
	}
	return environment
}
