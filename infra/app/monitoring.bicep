// Where logs, traces and metrics go: one workspace, and Application Insights on top of it.
//
// Local authentication is off in both: every sender carries a token and needs the role Monitoring
// Metrics Publisher (roles.bicep). The connection string is read where it is used, never handed out.
// Called by main.bicep.

param location string
param tags object
param workspaceName string
param applicationInsightsName string

@description('Ingestion stops for the day above this many gigabytes: a bound on cost, not a target.')
param dailyQuotaGb int = 5

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' = {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: 30
    workspaceCapping: { dailyQuotaGb: dailyQuotaGb }
    features: { disableLocalAuth: true }
  }
}

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' = {
  name: applicationInsightsName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    IngestionMode: 'LogAnalytics'
    DisableLocalAuth: true
  }
}

output workspaceId string = workspace.id
output applicationInsightsName string = applicationInsights.name
