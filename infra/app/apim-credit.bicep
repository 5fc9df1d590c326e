// The named value `credit`, once: what it holds afterwards belongs to whoever edits it in the portal.
//
// main.bicep runs this module only while the azd variable CREDIT_INITIALISED is not 'true' (the
// preprovision hook asks Azure, the postprovision hook remembers), so a redeployment resets nobody's
// credit. See docs/decisions/credit-named-value.md.

param apimName string
param initialCredit string

resource apim 'Microsoft.ApiManagement/service@2024-05-01' existing = {
  name: apimName
}

resource credit 'Microsoft.ApiManagement/service/namedValues@2024-05-01' = {
  parent: apim
  name: 'credit'
  properties: {
    displayName: 'credit'
    value: initialCredit
    secret: false
  }
}
