// The app: a Flex Consumption plan, the Function App on it, its settings and its door.
//
// Every setting the app reads is in `appSettings`, and nothing else: the child resource replaces them
// all, so a setting that is removed here goes. Settings that Flex does not allow are not set. The door
// (authsettingsV2) admits tokens of the gateway's identity only, so the functions themselves are
// anonymous and no function key is ever used. Called by main.bicep; roles in roles.bicep.

param location string
param tags object
param planName string
param appName string
param workspaceId string
param applicationInsightsName string

param funcIdentityId string
param funcClientId string

@description('Client id and principal id of the one identity that may call the app.')
param apimClientId string
param apimPrincipalId string

@description('Client id and identifier URI of the app registration that tokens must be issued for.')
param backendClientId string
param backendAudience string

param pythonVersion string
param instanceMemoryMB int
param maximumInstanceCount int

@description('Instances kept warm for all durable triggers together; billed while idle. 0 scales to zero.')
param alwaysReadyDurable int

@description('HTTP requests one instance takes at a time. The app is asynchronous; Python\'s own default is low.')
param httpConcurrency int = 16

param durableBackend string
param taskHubName string

@description('Endpoint of the scheduler; empty with the storage backend.')
param schedulerEndpoint string

param hostAccountName string
param packageContainerUrl string
param cosmosEndpoint string
param databaseName string
param namespaceName string
param ordersQueue string
param topicEndpoint string

@description('Empty without the network option.')
param subnetId string

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

var durableSettings = durableBackend == 'dts' ? { DURABLE_TASK_SCHEDULER_CONNECTION_STRING: 'Endpoint=${schedulerEndpoint};Authentication=ManagedIdentity;ClientID=${funcClientId}' } : {}

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  name: appName
  location: location
  tags: union(tags, { 'azd-service-name': 'orders' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${funcIdentityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: {
      minTlsVersion: '1.2'
      ftpsState: 'Disabled'
      http20Enabled: true
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainerUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: funcIdentityId
          }
        }
      }
      runtime: { name: 'python', version: pythonVersion }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        alwaysReady: alwaysReadyDurable > 0 ? [{ name: 'durable', instanceCount: alwaysReadyDurable }] : []
        triggers: { http: { perInstanceConcurrency: httpConcurrency } }
      }
    }
  }
}

@description('A user-assigned identity needs both __credential and __clientId; without them the absent system identity is tried.')
resource appSettings 'Microsoft.Web/sites/config@2024-11-01' = {
  parent: app
  name: 'appsettings'
  properties: union({
    AzureWebJobsStorage__accountName: hostAccountName
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: funcClientId
    APPLICATIONINSIGHTS_CONNECTION_STRING: applicationInsights.properties.ConnectionString
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${funcClientId};Authorization=AAD'
    AZURE_CLIENT_ID: funcClientId
    COSMOS_DB__accountEndpoint: cosmosEndpoint
    COSMOS_DB__credential: 'managedidentity'
    COSMOS_DB__clientId: funcClientId
    COSMOS_DB_DATABASE_NAME: databaseName
    COSMOS_DB_TO_PROCESS_CONTAINER_NAME: 'toprocess'
    COSMOS_DB_PROCESSED_CONTAINER_NAME: 'processed'
    COSMOS_DB_LEASES_CONTAINER_NAME: 'leases'
    COSMOS_DB_REFERENCE_CONTAINER_NAME: 'reference'
    COSMOS_DB_SUBMISSIONS_CONTAINER_NAME: 'submissions'
    SB_ORDERS__fullyQualifiedNamespace: '${namespaceName}.servicebus.windows.net'
    SB_ORDERS__credential: 'managedidentity'
    SB_ORDERS__clientId: funcClientId
    SERVICEBUS_QUEUE: ordersQueue
    EVENT_GRID__topicEndpointUri: topicEndpoint
    EVENT_GRID__credential: 'managedidentity'
    EVENT_GRID__clientId: funcClientId
    TASKHUB_NAME: taskHubName
  }, durableSettings)
}

@description('Only the gateway gets in: a token for this audience, issued to the gateway\'s identity. Without allowedApplications any workload of the tenant could ask for such a token.')
resource authentication 'Microsoft.Web/sites/config@2024-11-01' = {
  parent: app
  name: 'authsettingsV2'
  properties: {
    platform: { enabled: true, runtimeVersion: '~1' }
    globalValidation: {
      requireAuthentication: true
      unauthenticatedClientAction: 'Return401'
    }
    httpSettings: { requireHttps: true }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          clientId: backendClientId
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
        }
        validation: {
          allowedAudiences: [backendClientId, backendAudience]
          defaultAuthorizationPolicy: {
            allowedApplications: [apimClientId]
            allowedPrincipals: { identities: [apimPrincipalId] }
          }
        }
      }
    }
  }
}

resource noFtpPasswords 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: app
  name: 'ftp'
  properties: { allow: false }
}

resource noScmPasswords 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: app
  name: 'scm'
  properties: { allow: false }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: app
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

output appName string = app.name
output url string = 'https://${app.properties.defaultHostName}'
