// The three identities of the system: who the app, the file ingestion and the gateway are.
//
// They exist before anything that uses them, so that every role is in place before the app starts,
// and their client ids can be written into settings and policies: a system-assigned identity has
// neither property. What each may do is in roles.bicep. Called by main.bicep.

@description('Region of every resource.')
param location string

@description('Tags of every resource.')
param tags object

@description('What the three names begin with.')
param namePrefix string

@description('What the three names end with.')
param resourceToken string

@description('The Function App: reads and writes queue, store, events and task hub.')
resource funcIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: '${namePrefix}func-${resourceToken}'
  location: location
  tags: tags
}

@description('The Logic App: reads dropped files and writes their orders.')
resource logicIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: '${namePrefix}logic-${resourceToken}'
  location: location
  tags: tags
}

@description('The gateway: calls the app, charges the credit ledger, sends telemetry.')
resource apimIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: '${namePrefix}apim-${resourceToken}'
  location: location
  tags: tags
}

output funcIdentityId string = funcIdentity.id
output funcClientId string = funcIdentity.properties.clientId
output funcPrincipalId string = funcIdentity.properties.principalId

output logicIdentityId string = logicIdentity.id
output logicPrincipalId string = logicIdentity.properties.principalId

output apimIdentityId string = apimIdentity.id
output apimClientId string = apimIdentity.properties.clientId
output apimPrincipalId string = apimIdentity.properties.principalId
