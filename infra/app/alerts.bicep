// What somebody should be told: dead letters, failed orders, a backlog, a broken ingestion, a gateway
// that answers 5xx, events that were not delivered.
//
// Without an e-mail address the alerts fire and are seen in the portal only. Query rules skip their
// validation, since their tables do not exist before the first record. Called by main.bicep.

param location string
param tags object
param namePrefix string
param actionGroupName string

@description('No action group when empty.')
param alertEmail string

param workspaceId string
param namespaceId string
param ordersQueue string
param orderFilesQueue string
param workflowId string
param systemTopicId string

var hasEmail = !empty(alertEmail)

resource actionGroup 'Microsoft.Insights/actionGroups@2023-01-01' = if (hasEmail) {
  name: actionGroupName
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'orders'
    emailReceivers: [{ name: 'operators', emailAddress: alertEmail, useCommonAlertSchema: true }]
  }
}

var metricActions = hasEmail ? [{ actionGroupId: actionGroup.id }] : []
var queryActions = hasEmail ? { actionGroups: [actionGroup.id] } : {}

@description('Messages nobody could use: they wait in the dead-letter queue for ever.')
resource deadLetters 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${namePrefix}dead-letters'
  location: 'global'
  tags: tags
  properties: {
    description: 'A queue has dead-lettered messages. GET /orders/dead-letters says what and why.'
    severity: 1
    enabled: true
    scopes: [namespaceId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT5M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'dead letters'
          metricName: 'DeadletteredMessages'
          metricNamespace: 'Microsoft.ServiceBus/namespaces'
          timeAggregation: 'Average'
          operator: 'GreaterThan'
          threshold: 0
          dimensions: [{ name: 'EntityName', operator: 'Include', values: [ordersQueue, orderFilesQueue] }]
        }
      ]
    }
    actions: metricActions
  }
}

@description('Orders arrive faster than they are started.')
resource backlog 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${namePrefix}backlog'
  location: 'global'
  tags: tags
  properties: {
    description: 'More than 1000 orders wait in the queue, for 15 minutes.'
    severity: 3
    enabled: true
    scopes: [namespaceId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'waiting orders'
          metricName: 'ActiveMessages'
          metricNamespace: 'Microsoft.ServiceBus/namespaces'
          timeAggregation: 'Average'
          operator: 'GreaterThan'
          threshold: 1000
          dimensions: [{ name: 'EntityName', operator: 'Include', values: [ordersQueue] }]
        }
      ]
    }
    actions: metricActions
  }
}

@description('A run of the Logic App failed: a file was refused, or could not be read or stored.')
resource ingestionFailed 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${namePrefix}ingestion-failed'
  location: 'global'
  tags: tags
  properties: {
    description: 'A dropped file was not ingested. The run history of the Logic App says why.'
    severity: 2
    enabled: true
    scopes: [workflowId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT5M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'failed runs'
          metricName: 'RunsFailed'
          metricNamespace: 'Microsoft.Logic/workflows'
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 0
        }
      ]
    }
    actions: metricActions
  }
}

@description('Event Grid gave up on an event about a dropped file; it is in the container event-deadletters.')
resource eventDelivery 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${namePrefix}event-delivery'
  location: 'global'
  tags: tags
  properties: {
    description: 'An event about a dropped file could not be delivered to the queue.'
    severity: 2
    enabled: true
    scopes: [systemTopicId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT5M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'undelivered events'
          metricName: 'DeadLetteredCount'
          metricNamespace: 'Microsoft.EventGrid/systemTopics'
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 0
        }
      ]
    }
    actions: metricActions
  }
}

@description('Every final failure of an order carries this code: in the exception that ends its orchestration (never sampled away), and in the line that the app logs, which the Python worker hands over as a trace.')
resource ordersFailed 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: '${namePrefix}orders-failed'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'Orders failed'
    description: 'An order failed for good. GET /orders/{id}/status says where; POST /orders/{id}/replay tries again.'
    severity: 2
    enabled: true
    scopes: [workspaceId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT5M'
    skipQueryValidation: true
    autoMitigate: true
    criteria: {
      allOf: [
        {
          query: 'union isfuzzy=true (AppExceptions | where OuterMessage contains "ORDER_FAILED" or InnermostMessage contains "ORDER_FAILED"), (AppTraces | where Message startswith "ORDER_FAILED")'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
        }
      ]
    }
    actions: queryActions
  }
}

@description('Catches what never reaches the app\'s own log: an orchestrator that crashes.')
resource orchestrationsFailed 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: '${namePrefix}orchestrations-failed'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'Orchestrations failed'
    description: 'The task hub reports an orchestration that failed.'
    severity: 2
    enabled: true
    scopes: [workspaceId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT5M'
    skipQueryValidation: true
    autoMitigate: true
    criteria: {
      allOf: [
        {
          query: 'AppTraces | where Properties.Category == "Host.Triggers.DurableTask" | where Properties.prop__functionType == "Orchestrator" and Properties.prop__state == "Failed"'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
        }
      ]
    }
    actions: queryActions
  }
}

@description('Split by who answered: without an answer of the app it was the gateway, so its credit ledger, its circuit breaker or its way to the app.')
resource gatewayErrors 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = {
  name: '${namePrefix}gateway-errors'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'Gateway answers 5xx'
    description: 'Clients get 5xx. A 503 of the gateway on Premium is CREDIT_LEDGER_UNAVAILABLE or CREDIT_MISCONFIGURED.'
    severity: 2
    enabled: true
    scopes: [workspaceId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT5M'
    skipQueryValidation: true
    autoMitigate: true
    criteria: {
      allOf: [
        {
          query: 'ApiManagementGatewayLogs | where ResponseCode >= 500 | extend AnsweredBy = iff(coalesce(BackendResponseCode, 0) == 0, "gateway", "app"), Code = tostring(ResponseCode)'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          dimensions: [
            { name: 'AnsweredBy', operator: 'Include', values: ['*'] }
            { name: 'Code', operator: 'Include', values: ['*'] }
          ]
          failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
        }
      ]
    }
    actions: queryActions
  }
}
