// The store: one serverless account, one database, the containers of entities.json.
//
// Keys are off, and with them every change of containers that is not made here: the built-in data
// roles cannot create containers, so the change feed's `leases` is created here too. Serverless has
// no throughput settings and one region. Called by main.bicep; roles in roles.bicep.

param location string
param tags object
param accountName string
param databaseName string
param workspaceId string

@description('cosmos.containers of entities.json. A missing defaultTtl means for ever, a missing indexingPolicy means everything.')
param containers array

resource account 'Microsoft.DocumentDB/databaseAccounts@2025-10-15' = {
  name: accountName
  location: location
  tags: tags
  kind: 'GlobalDocumentDB'
  properties: {
    databaseAccountOfferType: 'Standard'
    locations: [{ locationName: location, failoverPriority: 0, isZoneRedundant: false }]
    capabilities: [{ name: 'EnableServerless' }]
    consistencyPolicy: { defaultConsistencyLevel: 'Session' }
    backupPolicy: {
      type: 'Continuous'
      continuousModeProperties: { tier: 'Continuous7Days' }
    }
    disableLocalAuth: true
    disableKeyBasedMetadataWriteAccess: true
    minimalTlsVersion: 'Tls12'
    publicNetworkAccess: 'Enabled'
  }
}

resource database 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases@2025-10-15' = {
  parent: account
  name: databaseName
  properties: {
    resource: { id: databaseName }
  }
}

resource databaseContainers 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2025-10-15' = [for container in containers: {
  parent: database
  name: container.name
  properties: {
    resource: union({
      id: container.name
      partitionKey: { kind: 'Hash', paths: [container.partitionKey], version: 2 }
      indexingPolicy: {
        indexingMode: 'consistent'
        automatic: true
        includedPaths: map(container.?indexingPolicy.?includedPaths ?? ['/*'], path => { path: path })
        excludedPaths: map(container.?indexingPolicy.?excludedPaths ?? [], path => { path: path })
        compositeIndexes: container.?indexingPolicy.?compositeIndexes ?? []
      }
    }, container.?defaultTtl == null ? {} : { defaultTtl: container.defaultTtl })
  }
}]

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: account
  properties: {
    workspaceId: workspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

output accountName string = account.name
output endpoint string = account.properties.documentEndpoint
output databaseName string = database.name
