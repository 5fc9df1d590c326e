// Two storage accounts, since their content lives differently long.
//
// host: the app's package, its leases and, with durableBackend 'storage', the task hub.
// data: files that customers drop (deleted after 30 days) and events that could not be delivered.
//
// Neither accepts keys or anonymous reads. Called by main.bicep; roles in roles.bicep.

param location string
param tags object
param hostAccountName string
param dataAccountName string
param workspaceId string

@description('With the network option the host account is reached by private endpoints only.')
param hostPublicNetworkAccess string

@description('Dropped files are deleted this many days after they were last changed.')
param inputFilesRetentionDays int = 30

resource hostStorage 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: hostAccountName
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: {
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: hostPublicNetworkAccess
  }
}

resource hostBlobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: hostStorage
  name: 'default'
  properties: {
    deleteRetentionPolicy: { enabled: true, days: 7 }
  }
}

@description('azd deploys the package into this container; the app starts from it.')
resource appPackage 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: hostBlobs
  name: 'app-package'
  properties: { publicAccess: 'None' }
}

resource dataStorage 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: dataAccountName
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: {
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }
}

resource dataBlobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: dataStorage
  name: 'default'
  properties: {
    deleteRetentionPolicy: { enabled: true, days: 7 }
  }
}

@description('Drop a .json file here and its orders are processed.')
resource inputFiles 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: dataBlobs
  name: 'inputfiles'
  properties: { publicAccess: 'None' }
}

@description('Events about dropped files that Event Grid gave up delivering.')
resource eventDeadLetters 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: dataBlobs
  name: 'event-deadletters'
  properties: { publicAccess: 'None' }
}

resource dataLifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2025-06-01' = {
  parent: dataStorage
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'delete-input-files'
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: { blobTypes: ['blockBlob'], prefixMatch: ['${inputFiles.name}/'] }
            actions: {
              baseBlob: { delete: { daysAfterModificationGreaterThan: inputFilesRetentionDays } }
            }
          }
        }
      ]
    }
  }
}

resource hostDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: hostBlobs
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

resource dataDiagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: dataBlobs
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

output hostAccountName string = hostStorage.name
output packageContainerUrl string = '${hostStorage.properties.primaryEndpoints.blob}${appPackage.name}'
output dataAccountName string = dataStorage.name
output inputFilesContainer string = inputFiles.name
output eventDeadLettersContainer string = eventDeadLetters.name
