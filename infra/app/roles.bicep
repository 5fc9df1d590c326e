// Who may do what, on the smallest resource that will do. Everything that is granted is here, except
// the gateway's right over itself, which exists in one credit mode only (roles-gateway.bicep).
//
// Deployed before the app, the workflow and the event subscription, which depend on this module, so
// that nothing starts before it may. A role can still take some minutes to reach a service.
// Why each is needed is said at each; the table is tested against tests/infra/test_roles.py.
// Called by main.bicep.

param funcPrincipalId string
param logicPrincipalId string
param apimPrincipalId string
param systemTopicPrincipalId string

@description('Who deploys; nobody when empty, then no deployer role is granted.')
param deployerPrincipalId string

@description('User or ServicePrincipal.')
param deployerPrincipalType string

param durableBackend string
param creditMode string

param hostAccountName string
param dataAccountName string
param inputFilesContainer string
param eventDeadLettersContainer string
param namespaceName string
param ordersQueue string
param orderFilesQueue string
param topicName string
param cosmosAccountName string
param databaseName string
param toProcessContainer string
param creditsContainer string
param applicationInsightsName string

@description('A name is given even where there is no scheduler: conditional resources are named all the same.')
param schedulerName string

var roleIds = {
  storageBlobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  storageBlobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  storageBlobDataReader: '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'
  storageQueueDataContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  storageTableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
  serviceBusDataOwner: '090c5cfd-751d-490a-894a-3ce6f1109419'
  serviceBusDataReceiver: '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0'
  serviceBusDataSender: '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39'
  eventGridDataSender: 'd5a91429-5739-47e2-a06b-3470a27159e7'
  durableTaskDataContributor: '0ad04412-c4d5-4796-b79c-f76d14c8d402'
  monitoringMetricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
}

@description('Cosmos\' own data-plane role, on the account that it is used in.')
var cosmosDataContributor = '00000000-0000-0000-0000-000000000002'

var hasScheduler = durableBackend == 'dts'
var hasDeployer = !empty(deployerPrincipalId)

// ---- the resources that roles are granted on ------------------------------------------------------

resource hostStorage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: hostAccountName
}

resource dataStorage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: dataAccountName
}

resource dataBlobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' existing = {
  parent: dataStorage
  name: 'default'
}

resource inputFiles 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' existing = {
  parent: dataBlobs
  name: inputFilesContainer
}

resource eventDeadLetters 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' existing = {
  parent: dataBlobs
  name: eventDeadLettersContainer
}

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' existing = {
  name: namespaceName
}

resource orders 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' existing = {
  parent: namespace
  name: ordersQueue
}

resource orderFiles 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' existing = {
  parent: namespace
  name: orderFilesQueue
}

resource topic 'Microsoft.EventGrid/topics@2025-02-15' existing = {
  name: topicName
}

resource scheduler 'Microsoft.DurableTask/schedulers@2026-02-01' existing = if (hasScheduler) {
  name: schedulerName
}

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

resource cosmos 'Microsoft.DocumentDB/databaseAccounts@2025-10-15' existing = {
  name: cosmosAccountName
}

// ---- the app --------------------------------------------------------------------------------------

@description('Package, host leases, secrets of the host and, with \'storage\', large messages of the task hub.')
resource funcHostBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(hostStorage.id, funcPrincipalId, roleIds.storageBlobDataOwner)
  scope: hostStorage
  properties: {
    principalId: funcPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.storageBlobDataOwner)
  }
}

@description('The control and work-item queues of a task hub in storage.')
resource funcHostQueues 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!hasScheduler) {
  name: guid(hostStorage.id, funcPrincipalId, roleIds.storageQueueDataContributor)
  scope: hostStorage
  properties: {
    principalId: funcPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.storageQueueDataContributor)
  }
}

@description('The host writes its diagnostic events to a table; a task hub in storage keeps its history in tables.')
resource funcHostTables 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(hostStorage.id, funcPrincipalId, roleIds.storageTableDataContributor)
  scope: hostStorage
  properties: {
    principalId: funcPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.storageTableDataContributor)
  }
}

@description('Sends, receives, and counts: scaling reads the queue\'s length, which a receiver may not. On this queue only.')
resource funcOrders 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(orders.id, funcPrincipalId, roleIds.serviceBusDataOwner)
  scope: orders
  properties: {
    principalId: funcPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.serviceBusDataOwner)
  }
}

@description('Publishes OrderProcessed and OrderRejected.')
resource funcTopic 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(topic.id, funcPrincipalId, roleIds.eventGridDataSender)
  scope: topic
  properties: {
    principalId: funcPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.eventGridDataSender)
  }
}

@description('Runs orchestrations on the scheduler.')
resource funcScheduler 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasScheduler) {
  name: guid(scheduler.id, funcPrincipalId, roleIds.durableTaskDataContributor)
  scope: scheduler
  properties: {
    principalId: funcPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.durableTaskDataContributor)
  }
}

@description('Sends telemetry, as local authentication is off.')
resource funcTelemetry 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(applicationInsights.id, funcPrincipalId, roleIds.monitoringMetricsPublisher)
  scope: applicationInsights
  properties: {
    principalId: funcPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.monitoringMetricsPublisher)
  }
}

@description('Reads and writes items of the orders database, change feed and leases included.')
resource funcCosmos 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2025-10-15' = {
  parent: cosmos
  name: guid(cosmos.id, funcPrincipalId, databaseName, cosmosDataContributor)
  properties: {
    principalId: funcPrincipalId
    roleDefinitionId: '${cosmos.id}/sqlRoleDefinitions/${cosmosDataContributor}'
    scope: '${cosmos.id}/dbs/${databaseName}'
  }
}

// ---- file ingestion -------------------------------------------------------------------------------

@description('Reads dropped files and nothing else of the account.')
resource logicInputFiles 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(inputFiles.id, logicPrincipalId, roleIds.storageBlobDataReader)
  scope: inputFiles
  properties: {
    principalId: logicPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.storageBlobDataReader)
  }
}

@description('Peeks, completes and dead-letters the events about dropped files.')
resource logicOrderFiles 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(orderFiles.id, logicPrincipalId, roleIds.serviceBusDataReceiver)
  scope: orderFiles
  properties: {
    principalId: logicPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.serviceBusDataReceiver)
  }
}

@description('Writes orders into `toprocess`, and sees no other container.')
resource logicToProcess 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2025-10-15' = {
  parent: cosmos
  name: guid(cosmos.id, logicPrincipalId, toProcessContainer, cosmosDataContributor)
  properties: {
    principalId: logicPrincipalId
    roleDefinitionId: '${cosmos.id}/sqlRoleDefinitions/${cosmosDataContributor}'
    scope: '${cosmos.id}/dbs/${databaseName}/colls/${toProcessContainer}'
  }
}

@description('Event Grid delivers the events about dropped files; checked when the subscription is created.')
resource topicOrderFiles 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(orderFiles.id, systemTopicPrincipalId, roleIds.serviceBusDataSender)
  scope: orderFiles
  properties: {
    principalId: systemTopicPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.serviceBusDataSender)
  }
}

@description('Event Grid keeps what it could not deliver.')
resource topicDeadLetters 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(eventDeadLetters.id, systemTopicPrincipalId, roleIds.storageBlobDataContributor)
  scope: eventDeadLetters
  properties: {
    principalId: systemTopicPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.storageBlobDataContributor)
  }
}

// ---- the gateway ----------------------------------------------------------------------------------

@description('Sends telemetry, as local authentication is off.')
resource apimTelemetry 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(applicationInsights.id, apimPrincipalId, roleIds.monitoringMetricsPublisher)
  scope: applicationInsights
  properties: {
    principalId: apimPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.monitoringMetricsPublisher)
  }
}

@description('Charges the credit ledger, and sees no other container.')
resource apimCredits 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2025-10-15' = if (creditMode == 'ledger') {
  parent: cosmos
  name: guid(cosmos.id, apimPrincipalId, creditsContainer, cosmosDataContributor)
  properties: {
    principalId: apimPrincipalId
    roleDefinitionId: '${cosmos.id}/sqlRoleDefinitions/${cosmosDataContributor}'
    scope: '${cosmos.id}/dbs/${databaseName}/colls/${creditsContainer}'
  }
}

// ---- who deploys ----------------------------------------------------------------------------------

@description('Drops files by hand and reads undelivered events.')
resource deployerData 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasDeployer) {
  name: guid(dataStorage.id, deployerPrincipalId, roleIds.storageBlobDataContributor)
  scope: dataStorage
  properties: {
    principalId: deployerPrincipalId
    principalType: deployerPrincipalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.storageBlobDataContributor)
  }
}

@description('Looks into both queues and their dead letters.')
resource deployerNamespace 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasDeployer) {
  name: guid(namespace.id, deployerPrincipalId, roleIds.serviceBusDataOwner)
  scope: namespace
  properties: {
    principalId: deployerPrincipalId
    principalType: deployerPrincipalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.serviceBusDataOwner)
  }
}

@description('Opens the scheduler\'s dashboard.')
resource deployerScheduler 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (hasDeployer && hasScheduler) {
  name: guid(scheduler.id, deployerPrincipalId, roleIds.durableTaskDataContributor)
  scope: scheduler
  properties: {
    principalId: deployerPrincipalId
    principalType: deployerPrincipalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleIds.durableTaskDataContributor)
  }
}

@description('Seeds reference data (postprovision) and reads items in the Data Explorer.')
resource deployerCosmos 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2025-10-15' = if (hasDeployer) {
  parent: cosmos
  name: guid(cosmos.id, deployerPrincipalId, cosmosDataContributor)
  properties: {
    principalId: deployerPrincipalId
    roleDefinitionId: '${cosmos.id}/sqlRoleDefinitions/${cosmosDataContributor}'
    scope: cosmos.id
  }
}
