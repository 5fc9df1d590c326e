// The Durable Task Scheduler and its task hub: the engine's state, with durableBackend 'dts' only.
//
// With 'storage' none of this exists and the host's storage account holds the task hub. Access is by
// identity alone: an empty IP list would deny everybody, hence the open one. State cannot be moved
// from one backend to the other. Called by main.bicep; roles in roles.bicep.

param location string
param tags object
param schedulerName string
param taskHubName string

@allowed(['Consumption', 'Dedicated'])
param sku string

@description('Capacity units of the Dedicated SKU; Consumption has none.')
param dedicatedCapacity int = 1

@description('How long finished orchestrations stay visible: orchestrationState and retentionPeriodInDays each. Failed ones should stay long: they can be replayed.')
param retentionPolicies array

resource scheduler 'Microsoft.DurableTask/schedulers@2026-02-01' = {
  name: schedulerName
  location: location
  tags: tags
  properties: {
    ipAllowlist: ['0.0.0.0/0']
    sku: sku == 'Dedicated' ? { name: 'Dedicated', capacity: dedicatedCapacity } : { name: 'Consumption' }
  }
}

resource taskHub 'Microsoft.DurableTask/schedulers/taskHubs@2026-02-01' = {
  parent: scheduler
  name: taskHubName
}

resource retention 'Microsoft.DurableTask/schedulers/retentionPolicies@2026-02-01' = {
  parent: scheduler
  name: 'default'
  properties: {
    retentionPolicies: retentionPolicies
  }
}

output schedulerName string = scheduler.name
output endpoint string = scheduler.properties.endpoint
