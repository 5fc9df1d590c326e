// The gateway's right to write its own named values: creditMode 'named-value' only.
//
// That mode teaches the workshop's policy, which charges by a PATCH to the management API. The role
// lets any policy rewrite every policy, which is one reason why the ledger is the default. It needs
// the service to exist, hence its own module. Called by main.bicep.

param apimName string
param apimPrincipalId string

@description('API Management Service Contributor')
var apiManagementServiceContributor = '312a565d-c81f-4fd8-895a-4e21e48d571c'

resource apim 'Microsoft.ApiManagement/service@2024-05-01' existing = {
  name: apimName
}

@description('Writes the named value `credit` of this one service.')
resource apimItself 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(apim.id, apimPrincipalId, apiManagementServiceContributor)
  scope: apim
  properties: {
    principalId: apimPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', apiManagementServiceContributor)
  }
}
