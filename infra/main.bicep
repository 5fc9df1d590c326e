// The whole deployment: one resource group, and which module gets what. No resource is declared here
// but the group; each module says in its first lines what it holds and why.
//
// Order (modules wait for each other by the outputs they take, and by dependsOn where they take none):
//   1 identities, monitoring         2 storage, queues, store, topics, scheduler     3 every role
//   4 app                            5 file ingestion                                6 gateway
//   7 alerts
// docs/azure.md is the guide, docs/decisions/ the reasons. Called by azd with main.parameters.json.

targetScope = 'subscription'

// ---- parameters -----------------------------------------------------------------------------------

@description('Name of the azd environment; part of every name and tag.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Regions that have Flex Consumption, Durable Task Scheduler and the v2 gateway tiers. Add one when it has all three.')
@allowed(['australiaeast', 'eastus', 'eastus2', 'northeurope', 'southcentralus', 'swedencentral', 'uksouth', 'westus2'])
@metadata({ azd: { type: 'location' } })
param location string

@description('Object id of who deploys, filled in by azd. Gets data-plane roles; none when empty.')
param principalId string = ''

@description('User or ServicePrincipal, filled in by azd.')
@allowed(['User', 'ServicePrincipal'])
param principalType string = 'User'

@description('Where orchestrations keep their state: the Durable Task Scheduler, or the host storage account.')
@allowed(['dts', 'storage'])
param durableBackend string = 'dts'

@allowed(['Consumption', 'Dedicated'])
param durableSku string = 'Consumption'

@description('Consumption lacks rate-limit-by-key and gets its own policy; Developer has no SLA and takes half an hour.')
@allowed(['BasicV2', 'StandardV2', 'Developer', 'Consumption'])
param apimSku string = 'BasicV2'

@description('ledger: one atomic charge a call. named-value: the workshop\'s policy, which loses updates (see docs/azure.md).')
@allowed(['ledger', 'named-value'])
param creditMode string = 'ledger'

@description('What the named value `credit` holds when it is created; later deployments leave it alone.')
param initialCredit string = '0'

@description('\'true\' once `credit` exists: set by the hooks, not by hand.')
param creditInitialised string = ''

@description('create: two app registrations are made. existing: the three parameters below name them.')
@allowed(['create', 'existing'])
param entraMode string = 'create'

@description('Client id of the registration that clients ask tokens for (entraMode existing).')
param apiClientId string = ''

@description('Its identifier URI (entraMode existing).')
param apiAudience string = ''

@description('Client id of the registration that the gateway asks tokens for (entraMode existing).')
param backendClientId string = ''

@allowed(['3.11', '3.12', '3.13'])
param pythonVersion string = '3.12'

@description('Memory of one instance.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Upper bound of instances, each trigger group scaling by itself.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 100

@description('Instances kept warm for the durable triggers; billed while idle. 0 scales to zero and makes the first order slow.')
@minValue(0)
@maxValue(20)
param alwaysReadyDurable int = 1

@description('Who gets the alerts. Empty: they are seen in the portal only.')
param alertEmail string = ''

@description('Isolates the host storage account (and only it) in a virtual network.')
param vnetEnabled bool = false

// ---- names ----------------------------------------------------------------------------------------

var abbreviations = loadJsonContent('abbreviations.json')
var entities = loadJsonContent('entities.json')
var resourceToken = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }

var taskHubName = 'orders'
var ordersQueueName = 'orders'
var orderFilesQueueName = 'order-files'
var schedulerName = '${abbreviations.durableTaskScheduler}${resourceToken}'

@description('The ledger\'s container exists in ledger mode only.')
var containers = filter(entities.cosmos.containers, container => creditMode == 'ledger' || container.name != entities.apiManagement.creditLedger.container)

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: '${abbreviations.resourceGroup}${environmentName}'
  location: location
  tags: tags
}

// ---- 1 identities, registrations, monitoring ------------------------------------------------------

module identities 'app/identities.bicep' = {
  name: 'identities'
  scope: group
  params: {
    location: location
    tags: tags
    namePrefix: abbreviations.managedIdentity
    resourceToken: resourceToken
  }
}

module entra 'app/entra.bicep' = if (entraMode == 'create') {
  name: 'entra'
  scope: group
  params: { resourceToken: resourceToken }
}

var createsRegistrations = entraMode == 'create'
var effectiveApiClientId = createsRegistrations ? entra!.outputs.apiClientId : apiClientId
var effectiveApiAudience = createsRegistrations ? entra!.outputs.apiAudience : apiAudience
var effectiveBackendClientId = createsRegistrations ? entra!.outputs.backendClientId : backendClientId
var effectiveBackendAudience = createsRegistrations ? entra!.outputs.backendAudience : backendClientId

module monitoring 'app/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    location: location
    tags: tags
    workspaceName: '${abbreviations.logAnalyticsWorkspace}${resourceToken}'
    applicationInsightsName: '${abbreviations.applicationInsights}${resourceToken}'
  }
}

// ---- 2 what holds data ----------------------------------------------------------------------------

module storage 'app/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    location: location
    tags: tags
    hostAccountName: '${abbreviations.storageAccount}host${resourceToken}'
    dataAccountName: '${abbreviations.storageAccount}data${resourceToken}'
    hostPublicNetworkAccess: vnetEnabled ? 'Disabled' : 'Enabled'
    workspaceId: monitoring.outputs.workspaceId
  }
}

module servicebus 'app/servicebus.bicep' = {
  name: 'servicebus'
  scope: group
  params: {
    location: location
    tags: tags
    namespaceName: '${abbreviations.serviceBusNamespace}${resourceToken}'
    queues: entities.serviceBus.queues
    workspaceId: monitoring.outputs.workspaceId
  }
}

module cosmos 'app/cosmos.bicep' = {
  name: 'cosmos'
  scope: group
  params: {
    location: location
    tags: tags
    accountName: '${abbreviations.cosmosAccount}${resourceToken}'
    databaseName: entities.cosmos.database
    containers: containers
    workspaceId: monitoring.outputs.workspaceId
  }
}

module eventgrid 'app/eventgrid.bicep' = {
  name: 'eventgrid'
  scope: group
  params: {
    location: location
    tags: tags
    topicName: '${abbreviations.eventGridTopic}${entities.eventGrid.topics[0]}-${resourceToken}'
    systemTopicName: '${abbreviations.eventGridSystemTopic}${resourceToken}'
    dataAccountName: storage.outputs.dataAccountName
    workspaceId: monitoring.outputs.workspaceId
  }
}

module durable 'app/durable.bicep' = if (durableBackend == 'dts') {
  name: 'durable'
  scope: group
  params: {
    location: location
    tags: tags
    schedulerName: schedulerName
    taskHubName: taskHubName
    sku: durableSku
    retentionPolicies: entities.durableTask.retentionPolicies
  }
}

module network 'app/network.bicep' = if (vnetEnabled) {
  name: 'network'
  scope: group
  params: {
    location: location
    tags: tags
    networkName: '${abbreviations.virtualNetwork}${resourceToken}'
    privateEndpointPrefix: '${abbreviations.privateEndpoint}${resourceToken}-'
    hostAccountName: storage.outputs.hostAccountName
  }
}

// ---- 3 every role, before anything that needs one -------------------------------------------------

module roles 'app/roles.bicep' = {
  name: 'roles'
  scope: group
  params: {
    funcPrincipalId: identities.outputs.funcPrincipalId
    logicPrincipalId: identities.outputs.logicPrincipalId
    apimPrincipalId: identities.outputs.apimPrincipalId
    systemTopicPrincipalId: eventgrid.outputs.systemTopicPrincipalId
    deployerPrincipalId: principalId
    deployerPrincipalType: principalType
    durableBackend: durableBackend
    creditMode: creditMode
    hostAccountName: storage.outputs.hostAccountName
    dataAccountName: storage.outputs.dataAccountName
    inputFilesContainer: storage.outputs.inputFilesContainer
    eventDeadLettersContainer: storage.outputs.eventDeadLettersContainer
    namespaceName: servicebus.outputs.namespaceName
    ordersQueue: ordersQueueName
    orderFilesQueue: orderFilesQueueName
    topicName: eventgrid.outputs.topicName
    cosmosAccountName: cosmos.outputs.accountName
    databaseName: cosmos.outputs.databaseName
    toProcessContainer: 'toprocess'
    creditsContainer: entities.apiManagement.creditLedger.container
    applicationInsightsName: monitoring.outputs.applicationInsightsName
    schedulerName: schedulerName
  }
  dependsOn: [durable]
}

// ---- 4 the app ------------------------------------------------------------------------------------

module functionApp 'app/function.bicep' = {
  name: 'function-app'
  scope: group
  params: {
    location: location
    tags: tags
    planName: '${abbreviations.appServicePlan}${resourceToken}'
    appName: '${abbreviations.functionApp}${resourceToken}'
    workspaceId: monitoring.outputs.workspaceId
    applicationInsightsName: monitoring.outputs.applicationInsightsName
    funcIdentityId: identities.outputs.funcIdentityId
    funcClientId: identities.outputs.funcClientId
    apimClientId: identities.outputs.apimClientId
    apimPrincipalId: identities.outputs.apimPrincipalId
    backendClientId: effectiveBackendClientId
    backendAudience: effectiveBackendAudience
    pythonVersion: pythonVersion
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    alwaysReadyDurable: alwaysReadyDurable
    durableBackend: durableBackend
    taskHubName: taskHubName
    schedulerEndpoint: durableBackend == 'dts' ? durable!.outputs.endpoint : ''
    hostAccountName: storage.outputs.hostAccountName
    packageContainerUrl: storage.outputs.packageContainerUrl
    cosmosEndpoint: cosmos.outputs.endpoint
    databaseName: cosmos.outputs.databaseName
    namespaceName: servicebus.outputs.namespaceName
    ordersQueue: ordersQueueName
    topicEndpoint: eventgrid.outputs.topicEndpoint
    subnetId: vnetEnabled ? network!.outputs.funcSubnetId : ''
  }
  dependsOn: [roles]
}

// ---- 5 file ingestion -----------------------------------------------------------------------------

module logicapp 'app/logicapp.bicep' = {
  name: 'logicapp'
  scope: group
  params: {
    location: location
    tags: tags
    logicAppName: '${abbreviations.logicApp}${resourceToken}'
    workspaceId: monitoring.outputs.workspaceId
    logicIdentityId: identities.outputs.logicIdentityId
    systemTopicName: eventgrid.outputs.systemTopicName
    dataAccountName: storage.outputs.dataAccountName
    inputFilesContainer: storage.outputs.inputFilesContainer
    eventDeadLettersContainer: storage.outputs.eventDeadLettersContainer
    namespaceName: servicebus.outputs.namespaceName
    orderFilesQueue: orderFilesQueueName
    cosmosAccountName: cosmos.outputs.accountName
    databaseName: cosmos.outputs.databaseName
    toProcessContainer: 'toprocess'
  }
  dependsOn: [roles]
}

// ---- 6 the gateway --------------------------------------------------------------------------------

module apim 'app/apim.bicep' = {
  name: 'apim'
  scope: group
  params: {
    location: location
    tags: tags
    apimName: '${abbreviations.apiManagement}${resourceToken}'
    sku: apimSku
    publisherName: 'Durable Orders'
    publisherEmail: empty(alertEmail) ? 'operators@example.com' : alertEmail
    workspaceId: monitoring.outputs.workspaceId
    applicationInsightsName: monitoring.outputs.applicationInsightsName
    apimIdentityId: identities.outputs.apimIdentityId
    apimClientId: identities.outputs.apimClientId
  }
}

module rolesGateway 'app/roles-gateway.bicep' = if (creditMode == 'named-value') {
  name: 'roles-gateway'
  scope: group
  params: {
    apimName: apim.outputs.apimName
    apimPrincipalId: identities.outputs.apimPrincipalId
  }
}

module apimCredit 'app/apim-credit.bicep' = if (creditInitialised != 'true') {
  name: 'apim-credit'
  scope: group
  params: {
    apimName: apim.outputs.apimName
    initialCredit: initialCredit
  }
}

module apimApi 'app/apim-api.bicep' = {
  name: 'apim-api'
  scope: group
  params: {
    apimName: apim.outputs.apimName
    sku: apimSku
    creditMode: creditMode
    appUrl: functionApp.outputs.url
    entities: entities.apiManagement
    deploymentValues: {
      tenant: tenant().tenantId
      'api-audience': effectiveApiAudience
      'api-client-id': effectiveApiClientId
      'backend-audience': effectiveBackendAudience
      'apim-client-id': identities.outputs.apimClientId
      'cosmos-endpoint': cosmos.outputs.endpoint
      subscription: subscription().subscriptionId
      resourcegroup: group.name
      apim: apim.outputs.apimName
    }
  }
  dependsOn: [apimCredit]
}

// ---- 7 alerts -------------------------------------------------------------------------------------

module alerts 'app/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    location: location
    tags: tags
    namePrefix: abbreviations.alert
    actionGroupName: '${abbreviations.actionGroup}${resourceToken}'
    alertEmail: alertEmail
    workspaceId: monitoring.outputs.workspaceId
    namespaceId: servicebus.outputs.namespaceId
    ordersQueue: ordersQueueName
    orderFilesQueue: orderFilesQueueName
    workflowId: logicapp.outputs.workflowId
    systemTopicId: eventgrid.outputs.systemTopicId
  }
}

// ---- outputs: ids and addresses, never a key; azd keeps them as variables of the environment ---------

output AZURE_LOCATION string = location
output AZURE_TENANT_ID string = tenant().tenantId
output AZURE_RESOURCE_GROUP string = group.name
output SERVICE_ORDERS_NAME string = functionApp.outputs.appName
output SERVICE_ORDERS_URI string = functionApp.outputs.url
output APIM_NAME string = apim.outputs.apimName
output APIM_GATEWAY_URL string = apim.outputs.gatewayUrl
output API_AUDIENCE string = effectiveApiAudience
output API_CLIENT_ID string = effectiveApiClientId
output COSMOS_DB_ENDPOINT string = cosmos.outputs.endpoint
output COSMOS_DB_DATABASE_NAME string = cosmos.outputs.databaseName
output SERVICEBUS_NAMESPACE string = servicebus.outputs.namespaceName
output SERVICEBUS_QUEUE string = ordersQueueName
output EVENT_GRID_TOPIC_ENDPOINT string = eventgrid.outputs.topicEndpoint
output STORAGE_DATA_ACCOUNT string = storage.outputs.dataAccountName
output DURABLE_BACKEND string = durableBackend
output DTS_ENDPOINT string = durableBackend == 'dts' ? durable!.outputs.endpoint : ''
output TASKHUB_NAME string = taskHubName
output APPLICATIONINSIGHTS_NAME string = monitoring.outputs.applicationInsightsName
