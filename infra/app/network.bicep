// The network option: the app joins a virtual network, and the host storage account is reached by
// private endpoints only.
//
// It isolates the host storage and nothing else. Cosmos DB stays public (with identity only), because
// the Consumption Logic App and the gateway's credit ledger reach it from outside; private endpoints
// of Service Bus need its Premium tier. Off by default. Called by main.bicep.

param location string
param tags object
param networkName string
param privateEndpointPrefix string
param hostAccountName string

@description('The three services of the account that the app and the task hub use.')
var services = ['blob', 'queue', 'table']

resource hostStorage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: hostAccountName
}

resource network 'Microsoft.Network/virtualNetworks@2024-07-01' = {
  name: networkName
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: ['10.20.0.0/24'] }
    subnets: [
      {
        name: 'func'
        properties: {
          addressPrefix: '10.20.0.0/26'
          delegations: [
            { name: 'flex', properties: { serviceName: 'Microsoft.App/environments' } }
          ]
        }
      }
      {
        name: 'pe'
        properties: {
          addressPrefix: '10.20.0.64/27'
          privateEndpointNetworkPolicies: 'Disabled'
        }
      }
    ]
  }
}

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [for service in services: {
  name: 'privatelink.${service}.${environment().suffixes.storage}'
  location: 'global'
  tags: tags
}]

resource zoneLinks 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [for (service, i) in services: {
  parent: zones[i]
  name: '${networkName}-${service}'
  location: 'global'
  tags: tags
  properties: {
    registrationEnabled: false
    virtualNetwork: { id: network.id }
  }
}]

resource endpoints 'Microsoft.Network/privateEndpoints@2024-07-01' = [for service in services: {
  name: '${privateEndpointPrefix}${service}'
  location: location
  tags: tags
  properties: {
    subnet: { id: '${network.id}/subnets/pe' }
    privateLinkServiceConnections: [
      {
        name: service
        properties: { privateLinkServiceId: hostStorage.id, groupIds: [service] }
      }
    ]
  }
}]

resource endpointZones 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-07-01' = [for (service, i) in services: {
  parent: endpoints[i]
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      { name: service, properties: { privateDnsZoneId: zones[i].id } }
    ]
  }
}]

output funcSubnetId string = '${network.id}/subnets/func'
