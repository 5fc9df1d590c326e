// What the gateway publishes: named values, the backend, three APIs, products and their subscriptions.
//
// Which there are is read from entities.json, as the emulator does; the policies are files, executed
// by both. Order matters: a policy that mentions a named value or a backend is refused while that is
// missing, and Bicep cannot see it inside the XML, hence the explicit dependencies. Subscriptions get
// their keys from the service; no template ever holds one. Called by main.bicep.

param apimName string

@description('BasicV2, StandardV2, Developer or Consumption.')
param sku string

param creditMode string

@description('https://<app>.azurewebsites.net, without a path.')
param appUrl string

@description('apiManagement of entities.json: apis, backends, products, subscriptions, namedValues.')
param entities object

@description('Value of every named value that the deployment sets, by name.')
param deploymentValues object

var ordersEntity = first(filter(entities.apis, api => api.name == 'orders'))
var healthEntity = first(filter(entities.apis, api => api.name == 'orders-health'))
var consoleEntity = first(filter(entities.apis, api => api.name == 'orders-console'))

@description('Without `credit`, which is its owner\'s (apim-credit.bicep), and without those of the other credit mode.')
var namedValues = filter(entities.namedValues, item => item.setBy != 'owner' && (item.?creditMode ?? creditMode) == creditMode)

resource apim 'Microsoft.ApiManagement/service@2024-05-01' existing = {
  name: apimName
}

resource values 'Microsoft.ApiManagement/service/namedValues@2024-05-01' = [for item in namedValues: {
  parent: apim
  name: item.name
  properties: {
    displayName: item.name
    value: item.?value ?? deploymentValues[item.name]
    secret: false
  }
}]

resource backends 'Microsoft.ApiManagement/service/backends@2024-05-01' = [for backend in entities.backends: {
  parent: apim
  name: backend.name
  properties: {
    protocol: 'http'
    url: '${appUrl}${backend.path}'
    tls: { validateCertificateChain: true, validateCertificateName: true }
    circuitBreaker: {
      rules: [
        {
          name: 'app-fails'
          failureCondition: {
            count: backend.circuitBreaker.failureCount
            interval: backend.circuitBreaker.interval
            statusCodeRanges: [backend.circuitBreaker.failureStatusCodes]
          }
          tripDuration: backend.circuitBreaker.tripDuration
          acceptRetryAfter: backend.circuitBreaker.acceptRetryAfter
        }
      ]
    }
  }
}]

// ---- the Orders API -------------------------------------------------------------------------------

@description('Imported from the one OpenAPI file. Its path is empty so that /orders and /batches share one API.')
resource ordersApi 'Microsoft.ApiManagement/service/apis@2024-05-01' = {
  parent: apim
  name: ordersEntity.name
  properties: {
    displayName: ordersEntity.displayName
    path: ordersEntity.path
    protocols: ['https']
    subscriptionRequired: ordersEntity.subscriptionRequired
    serviceUrl: '${appUrl}/api'
    format: 'openapi'
    value: loadTextContent('../apim/openapi.yaml')
  }
}

resource ordersPolicy 'Microsoft.ApiManagement/service/apis/policies@2024-05-01' = {
  parent: ordersApi
  name: 'policy'
  properties: {
    format: 'xml'
    value: loadTextContent('../policies/api-orders.xml')
  }
  dependsOn: [values, backends]
}

// ---- health: no key, no product, so that checks burn neither rate nor credit ----------------------

resource healthApi 'Microsoft.ApiManagement/service/apis@2024-05-01' = {
  parent: apim
  name: healthEntity.name
  properties: {
    displayName: healthEntity.displayName
    path: healthEntity.path
    protocols: ['https']
    subscriptionRequired: healthEntity.subscriptionRequired
    serviceUrl: '${appUrl}/api'
  }
}

resource healthOperations 'Microsoft.ApiManagement/service/apis/operations@2024-05-01' = [for operation in healthEntity.operations: {
  parent: healthApi
  name: operation.name
  properties: {
    displayName: operation.displayName
    method: operation.method
    urlTemplate: operation.urlTemplate
  }
}]

resource healthPolicy 'Microsoft.ApiManagement/service/apis/policies@2024-05-01' = {
  parent: healthApi
  name: 'policy'
  properties: {
    format: 'xml'
    value: loadTextContent('../policies/api-health.xml')
  }
  dependsOn: [values, backends]
}

// ---- the console's page: no key either, as a browser that opens an address brings none ------------

resource consoleApi 'Microsoft.ApiManagement/service/apis@2024-05-01' = {
  parent: apim
  name: consoleEntity.name
  properties: {
    displayName: consoleEntity.displayName
    path: consoleEntity.path
    protocols: ['https']
    subscriptionRequired: consoleEntity.subscriptionRequired
    serviceUrl: '${appUrl}/api'
  }
}

resource consoleOperations 'Microsoft.ApiManagement/service/apis/operations@2024-05-01' = [for operation in consoleEntity.operations: {
  parent: consoleApi
  name: operation.name
  properties: {
    displayName: operation.displayName
    method: operation.method
    urlTemplate: operation.urlTemplate
  }
}]

resource consolePolicy 'Microsoft.ApiManagement/service/apis/policies@2024-05-01' = {
  parent: consoleApi
  name: 'policy'
  properties: {
    format: 'xml'
    value: loadTextContent('../policies/api-console.xml')
  }
  dependsOn: [values, backends]
}

// ---- products -------------------------------------------------------------------------------------

var basicPolicy = sku == 'Consumption' ? loadTextContent('../policies/product-basic.consumption.xml') : loadTextContent('../policies/product-basic.xml')
var premiumPolicy = creditMode == 'named-value' ? loadTextContent('../policies/product-premium.named-value.xml') : loadTextContent('../policies/product-premium.xml')
var productPolicies = { basic: basicPolicy, premium: premiumPolicy }

@description('The Consumption tier has no groups.')
var productsWithGroups = sku == 'Consumption' ? [] : entities.products

resource products 'Microsoft.ApiManagement/service/products@2024-05-01' = [for product in entities.products: {
  parent: apim
  name: product.name
  properties: {
    displayName: product.displayName
    description: product.description
    subscriptionRequired: product.subscriptionRequired
    approvalRequired: product.approvalRequired
    state: product.state
  }
}]

resource policies 'Microsoft.ApiManagement/service/products/policies@2024-05-01' = [for (product, i) in entities.products: {
  parent: products[i]
  name: 'policy'
  properties: {
    format: 'xml'
    value: productPolicies[product.name]
  }
  dependsOn: [values]
}]

resource apiLinks 'Microsoft.ApiManagement/service/products/apiLinks@2024-05-01' = [for (product, i) in entities.products: {
  parent: products[i]
  name: '${product.name}-orders'
  properties: { apiId: ordersApi.id }
}]

@description('A link to the built-in group; it has no body.')
resource groups 'Microsoft.ApiManagement/service/products/groups@2024-05-01' = [for (product, i) in productsWithGroups: {
  parent: products[i]
  name: product.groups[0]
}]

resource subscriptions 'Microsoft.ApiManagement/service/subscriptions@2024-05-01' = [for subscription in entities.subscriptions: {
  parent: apim
  name: subscription.name
  properties: {
    displayName: subscription.displayName
    scope: '${apim.id}/products/${subscription.product}'
    state: 'active'
  }
  dependsOn: [products]
}]
