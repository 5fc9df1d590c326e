// Two app registrations: what clients ask tokens for, and what the gateway asks tokens for.
//
// Run with entraMode 'create' only; it needs the Graph permission to create applications. Both live
// in the tenant, not in the resource group: the postdown hook deletes them by their unique names.
// Neither has a secret. Version 2 tokens carry the client id as audience, version 1 tokens the
// identifier URI: policies and the app accept both. Called by main.bicep.

extension microsoftGraphV1

@description('Ends the unique names and the identifier URIs.')
param resourceToken string

var apiUniqueName = 'orders-api-${resourceToken}'
var backendUniqueName = 'orders-backend-${resourceToken}'

@description('The public client id of the Azure CLI, so that `az account get-access-token` works without a consent page.')
var azureCliClientId = '04b07795-8ddb-461a-bbee-02f9e1bf7b46'
var userScopeId = guid(apiUniqueName, 'access_as_user')

@description('Orders API: the audience of every client of the gateway, and the roles they can be given.')
resource api 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: apiUniqueName
  displayName: 'Orders API (${resourceToken})'
  signInAudience: 'AzureADMyOrg'
  identifierUris: ['api://${tenant().tenantId}/orders-${resourceToken}']
  api: {
    requestedAccessTokenVersion: 2
    oauth2PermissionScopes: [
      {
        id: userScopeId
        value: 'access_as_user'
        type: 'User'
        isEnabled: true
        adminConsentDisplayName: 'Call the Orders API'
        adminConsentDescription: 'Call the Orders API as the signed-in user.'
        userConsentDisplayName: 'Call the Orders API'
        userConsentDescription: 'Call the Orders API as you.'
      }
    ]
    preAuthorizedApplications: [
      { appId: azureCliClientId, delegatedPermissionIds: [userScopeId] }
    ]
  }
  appRoles: [
    {
      id: guid(apiUniqueName, 'Orders.Read')
      value: 'Orders.Read'
      displayName: 'Read orders'
      description: 'Read orders and their status.'
      isEnabled: true
      allowedMemberTypes: ['User', 'Application']
    }
    {
      id: guid(apiUniqueName, 'Orders.Write')
      value: 'Orders.Write'
      displayName: 'Submit orders'
      description: 'Submit orders and batches.'
      isEnabled: true
      allowedMemberTypes: ['User', 'Application']
    }
    {
      id: guid(apiUniqueName, 'Orders.Operate')
      value: 'Orders.Operate'
      displayName: 'Operate orders'
      description: 'Replay failed orders; read and resubmit dead letters.'
      isEnabled: true
      allowedMemberTypes: ['User', 'Application']
    }
  ]
}

resource apiPrincipal 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: api.appId
}

@description('Orders backend: the audience of the gateway alone. Its service principal must exist or no token is issued.')
resource backend 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: backendUniqueName
  displayName: 'Orders backend (${resourceToken})'
  signInAudience: 'AzureADMyOrg'
  identifierUris: ['api://${tenant().tenantId}/orders-backend-${resourceToken}']
  api: { requestedAccessTokenVersion: 2 }
}

resource backendPrincipal 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: backend.appId
}

output apiClientId string = apiPrincipal.appId
output apiAudience string = 'api://${tenant().tenantId}/orders-${resourceToken}'
output backendClientId string = backendPrincipal.appId
output backendAudience string = 'api://${tenant().tenantId}/orders-backend-${resourceToken}'
