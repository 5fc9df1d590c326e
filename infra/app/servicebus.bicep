// The queues: `orders` starts orchestrations, `order-files` tells the Logic App what was dropped.
//
// Standard tier, since duplicate detection needs it; keys are off. Which queues there are and how
// each behaves is read from entities.json, as the emulator does. `requiresDuplicateDetection` is
// fixed when a queue is created: changing it later fails the deployment. Called by main.bicep.

param location string
param tags object
param namespaceName string
param workspaceId string

@description('serviceBus.queues of entities.json. The largest message is the tier\'s (256 KB) and is not set.')
param queues array

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: namespaceName
  location: location
  tags: tags
  sku: { name: 'Standard', tier: 'Standard' }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
  }
}

resource namespaceQueues 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = [for queue in queues: {
  parent: namespace
  name: queue.name
  properties: {
    lockDuration: queue.lockDuration
    maxDeliveryCount: queue.maxDeliveryCount
    requiresDuplicateDetection: queue.requiresDuplicateDetection
    duplicateDetectionHistoryTimeWindow: queue.duplicateDetectionHistoryTimeWindow
    defaultMessageTimeToLive: queue.defaultMessageTimeToLive
    deadLetteringOnMessageExpiration: queue.deadLetteringOnMessageExpiration
    requiresSession: false
    enablePartitioning: false
  }
}]

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: namespace
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

output namespaceName string = namespace.name
output namespaceId string = namespace.id
