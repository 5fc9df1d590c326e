// The gateway itself: the service, where it logs, and the policy that everything else inherits.
//
// What it publishes (API, products, named values) is in apim-api.bicep, which needs the app's address;
// the service does not, and so is created while the app is. Called by main.bicep.

param location string
param tags object
param apimName string
param publisherName string
param publisherEmail string
param workspaceId string
param applicationInsightsName string
param apimIdentityId string
param apimClientId string

@description('BasicV2, StandardV2, Developer or Consumption.')
param sku string

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

resource apim 'Microsoft.ApiManagement/service@2024-05-01' = {
  name: apimName
  location: location
  tags: tags
  sku: { name: sku, capacity: sku == 'Consumption' ? 0 : 1 }
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${apimIdentityId}': {} }
  }
  properties: {
    publisherName: publisherName
    publisherEmail: publisherEmail
    virtualNetworkType: 'None'
  }
}

@description('One line: forward the request, for at most a minute.')
resource servicePolicy 'Microsoft.ApiManagement/service/policies@2024-05-01' = {
  parent: apim
  name: 'policy'
  properties: {
    format: 'xml'
    value: loadTextContent('../policies/global.xml')
  }
}

@description('Sends with the gateway\'s identity: a connection string without its key would not be accepted.')
resource logger 'Microsoft.ApiManagement/service/loggers@2024-05-01' = {
  parent: apim
  name: 'appi'
  properties: {
    loggerType: 'applicationInsights'
    resourceId: applicationInsights.id
    credentials: {
      connectionString: applicationInsights.properties.ConnectionString
      identityClientId: apimClientId
    }
  }
}

@description('Every call, and its trace context, but never a header or a body: they carry keys and personal data.')
resource apiTelemetry 'Microsoft.ApiManagement/service/diagnostics@2024-05-01' = {
  parent: apim
  name: 'applicationinsights'
  properties: {
    loggerId: logger.id
    alwaysLog: 'allErrors'
    httpCorrelationProtocol: 'W3C'
    sampling: { samplingType: 'fixed', percentage: 100 }
    frontend: {
      request: { headers: [], body: { bytes: 0 } }
      response: { headers: [], body: { bytes: 0 } }
    }
    backend: {
      request: { headers: [], body: { bytes: 0 } }
      response: { headers: [], body: { bytes: 0 } }
    }
  }
}

@description('The Consumption tier has no resource logs.')
resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = if (sku != 'Consumption') {
  name: 'to-workspace'
  scope: apim
  properties: {
    workspaceId: workspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

output apimName string = apim.name
output gatewayUrl string = apim.properties.gatewayUrl
