package template

import "strings"

// The types of the resources that run here.
const (
	typeFunction     = "AWS::Serverless::Function"
	typeHTTPAPI      = "AWS::Serverless::HttpApi"
	typeStateMachine = "AWS::Serverless::StateMachine"
	typeTable        = "AWS::DynamoDB::Table"
	typeSecret       = "AWS::SecretsManager::Secret" // #nosec G101 -- the name of a type
	typeEventBus     = "AWS::Events::EventBus"
	typePipe         = "AWS::Pipes::Pipe"
	typeQueue        = "AWS::SQS::Queue"     // not local, but referred to
	typeParameter    = "AWS::SSM::Parameter" // likewise
)

// properties are the fields of a mapping that the local cloud knows: those it
// reads, and those that may be there and have no meaning here, because there are no
// permissions, no encryption, no alarms, no deployments and no quotas. Any other
// field is an error.
type properties struct{ read, inert []string }

var (
	resourceFields = properties{
		read:  []string{"Type", "Properties"},
		inert: []string{"Condition", "DeletionPolicy", "UpdateReplacePolicy", "DependsOn", "Metadata"}, // Condition is seen before
	}
	ruleOfParametersFields = properties{read: []string{"RuleCondition", "Assertions"}}

	globalFields = properties{read: []string{"Function"}}

	functionFields = properties{
		read: []string{"FunctionName", "CodeUri", "Handler", "Runtime", "Timeout", "MemorySize", "LoggingConfig", "Environment", "Events", "AutoPublishAlias"},
		inert: []string{"Description", "Architectures", "Tracing", "Policies", "Role", "PermissionsBoundary", "Tags", "PropagateTags", "KmsKeyArn",
			"AutoPublishAliasAllProperties", "DeploymentPreference", "VersionDescription", "VpcConfig", "DeadLetterQueue", "EventInvokeConfig",
			"ReservedConcurrentExecutions"}, // the local cloud has one limit for all functions
	}
	loggingFields     = properties{read: []string{"LogFormat", "LogGroup"}, inert: []string{"ApplicationLogLevel", "SystemLogLevel"}}
	environmentFields = properties{read: []string{"Variables"}}
	eventFields       = properties{read: []string{"Type", "Properties"}}
	httpEventFields   = properties{read: []string{"ApiId", "Method", "Path", "PayloadFormatVersion", "TimeoutInMillis"}}
	scheduleFields    = properties{read: []string{"Schedule", "Enabled"}, inert: []string{"Name", "Description", "RetryPolicy", "DeadLetterConfig"}}

	ruleFields             = properties{read: []string{"EventBusName", "Pattern", "InputTransformer"}, inert: []string{"RetryPolicy", "DeadLetterConfig", "RuleName"}}
	inputTransformerFields = properties{read: []string{"InputPathsMap", "InputTemplate"}}

	httpAPIFields = properties{
		inert: []string{"Name", "Description", "Tags", "PropagateTags", "AccessLogSettings", "DefaultRouteSettings", "RouteSettings", "FailOnWarnings"},
	}
	tableFields = properties{
		read: []string{"TableName", "AttributeDefinitions", "KeySchema", "TimeToLiveSpecification", "StreamSpecification"},
		inert: []string{"BillingMode", "SSESpecification", "PointInTimeRecoverySpecification", "DeletionProtectionEnabled", "TableClass", "Tags",
			"OnDemandThroughput", "WarmThroughput", "ProvisionedThroughput", "ContributorInsightsSpecification", "ResourcePolicy"},
	}
	eventBusFields   = properties{read: []string{"Name"}, inert: []string{"Description", "KmsKeyIdentifier", "Policy", "Tags", "DeadLetterConfig"}}
	pipeFields       = properties{read: []string{"Name", "Source", "SourceParameters", "Target", "TargetParameters"}, inert: []string{"Description", "RoleArn", "Tags", "KmsKeyIdentifier", "LogConfiguration"}}
	pipeSourceFields = properties{read: []string{"DynamoDBStreamParameters", "FilterCriteria"}}
	pipeTargetFields = properties{read: []string{"EventBridgeEventBusParameters", "InputTemplate"}}
	pipeStreamFields = properties{
		read:  []string{"StartingPosition"},
		inert: []string{"BatchSize", "MaximumRecordAgeInSeconds", "MaximumRetryAttempts", "DeadLetterConfig"},
	}
	pipeFilterFields = properties{read: []string{"Filters"}}
	patternFields    = properties{read: []string{"Pattern"}}
	pipeBusFields    = properties{read: []string{"Source", "DetailType"}}

	alarmResourceFields = properties{read: []string{"Type", "Properties", "Condition"}}
	alarmFields         = properties{
		read: []string{"AlarmDescription", "Namespace", "MetricName", "Dimensions", "Statistic", "Period", "Metrics", "EvaluationPeriods",
			"DatapointsToAlarm", "Threshold", "ComparisonOperator", "TreatMissingData", "AlarmActions", "OKActions"},
	}
	metricQueryFields = properties{read: []string{"Id", "Expression", "MetricStat", "ReturnData"}, inert: []string{"Label"}}
	metricStatFields  = properties{read: []string{"Metric", "Period", "Stat"}}
	metricFields      = properties{read: []string{"Namespace", "MetricName", "Dimensions"}}

	secretFields       = properties{read: []string{"Name", "Description"}, inert: []string{"GenerateSecretString", "SecretString", "KmsKeyId", "Tags"}}
	stateMachineFields = properties{
		read:  []string{"Name", "DefinitionUri", "DefinitionSubstitutions"},
		inert: []string{"Type", "Tracing", "Logging", "Policies", "Role", "PermissionsBoundary", "Tags", "PropagateTags", "AutoPublishAlias", "DeploymentPreference"},
	}
)

// nameProperty is the property that gives a resource its physical name; without
// one it is the logical id, as with sam local.
var nameProperty = map[string]string{
	typeFunction:     "FunctionName",
	typeTable:        "TableName",
	typeSecret:       "Name",
	typeStateMachine: "Name",
	typeEventBus:     "Name",
	typePipe:         "Name",
}

// notLocal reports whether resources of a type have no counterpart here, and need
// none for the functions to run.
func notLocal(kind string) bool {
	for _, prefix := range []string{"AWS::Logs::", "AWS::CloudWatch::", "AWS::IAM::", "AWS::SNS::", "AWS::SQS::", "AWS::SSM::", "AWS::EC2::",
		"AWS::ApiGatewayV2::", "AWS::Lambda::Permission"} {
		if strings.HasPrefix(kind, prefix) {
			return true
		}
	}
	return false
}
