// File ingestion: a dropped file's event goes to the queue `order-files`, the Logic App reads the file
// and upserts its orders into `toprocess`.
//
// The event subscription, three connections without a key, and the workflow, whose definition is a
// file that the emulator's ingestion executes too. The subscription is here and not beside its topic
// because Event Grid checks at creation that the topic may send to the queue: roles.bicep comes first.
// Called by main.bicep.

param location string
param tags object
param logicAppName string
param workspaceId string
param logicIdentityId string

param systemTopicName string
param dataAccountName string
param inputFilesContainer string
param eventDeadLettersContainer string
param namespaceName string
param orderFilesQueue string
param cosmosAccountName string
param databaseName string
param toProcessContainer string

resource dataStorage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: dataAccountName
}

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' existing = {
  name: namespaceName
}

resource orderFiles 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' existing = {
  parent: namespace
  name: orderFilesQueue
}

resource systemTopic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: systemTopicName
}

@description('Whole .json files only: data.api names the calls that end an upload.')
resource droppedFiles 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: systemTopic
  name: 'order-files'
  properties: {
    eventDeliverySchema: 'CloudEventSchemaV1_0'
    deliveryWithResourceIdentity: {
      identity: { type: 'SystemAssigned' }
      destination: {
        endpointType: 'ServiceBusQueue'
        properties: { resourceId: orderFiles.id }
      }
    }
    filter: {
      includedEventTypes: ['Microsoft.Storage.BlobCreated']
      subjectBeginsWith: '/blobServices/default/containers/${inputFilesContainer}/blobs/'
      subjectEndsWith: '.json'
      advancedFilters: [
        { operatorType: 'StringIn', key: 'data.api', values: ['PutBlob', 'PutBlockList', 'FlushWithClose'] }
      ]
    }
    retryPolicy: { maxDeliveryAttempts: 30, eventTimeToLiveInMinutes: 1440 }
    deadLetterWithResourceIdentity: {
      identity: { type: 'SystemAssigned' }
      deadLetterDestination: {
        endpointType: 'StorageBlob'
        properties: {
          resourceId: dataStorage.id
          blobContainerName: eventDeadLettersContainer
        }
      }
    }
  }
}

resource serviceBusConnection 'Microsoft.Web/connections@2016-06-01' = {
  name: 'servicebus'
  location: location
  tags: tags
  properties: {
    displayName: 'servicebus'
    api: { id: subscriptionResourceId('Microsoft.Web/locations/managedApis', location, 'servicebus') }
    // The published types do not know parameterValueSet.
    #disable-next-line BCP037
    parameterValueSet: {
      name: 'managedIdentityAuth'
      values: { namespaceEndpoint: { value: 'sb://${namespaceName}.servicebus.windows.net/' } }
    }
  }
}

resource blobConnection 'Microsoft.Web/connections@2016-06-01' = {
  name: 'azureblob'
  location: location
  tags: tags
  properties: {
    displayName: 'azureblob'
    api: { id: subscriptionResourceId('Microsoft.Web/locations/managedApis', location, 'azureblob') }
    // The published types do not know parameterValueSet.
    #disable-next-line BCP037
    parameterValueSet: { name: 'managedIdentityAuth', values: {} }
  }
}

resource cosmosConnection 'Microsoft.Web/connections@2016-06-01' = {
  name: 'documentdb'
  location: location
  tags: tags
  properties: {
    displayName: 'documentdb'
    api: { id: subscriptionResourceId('Microsoft.Web/locations/managedApis', location, 'documentdb') }
    // The published types do not know parameterValueSet.
    #disable-next-line BCP037
    parameterValueSet: { name: 'managedIdentityAuth', values: {} }
  }
}

var byIdentity = { authentication: { type: 'ManagedServiceIdentity', identity: logicIdentityId } }

resource workflow 'Microsoft.Logic/workflows@2019-05-01' = {
  name: logicAppName
  location: location
  tags: tags
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${logicIdentityId}': {} }
  }
  properties: {
    state: 'Enabled'
    definition: loadJsonContent('../workflows/ingest-order-files.json')
    parameters: {
      storageAccount: { value: dataAccountName }
      cosmosAccount: { value: cosmosAccountName }
      database: { value: databaseName }
      container: { value: toProcessContainer }
      queue: { value: orderFilesQueue }
      '$connections': {
        value: {
          servicebus: {
            connectionId: serviceBusConnection.id
            connectionName: serviceBusConnection.name
            id: serviceBusConnection.properties.api.id
            connectionProperties: byIdentity
          }
          azureblob: {
            connectionId: blobConnection.id
            connectionName: blobConnection.name
            id: blobConnection.properties.api.id
            connectionProperties: byIdentity
          }
          documentdb: {
            connectionId: cosmosConnection.id
            connectionName: cosmosConnection.name
            id: cosmosConnection.properties.api.id
            connectionProperties: byIdentity
          }
        }
      }
    }
  }
}

resource diagnostics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: workflow
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

output workflowId string = workflow.id
