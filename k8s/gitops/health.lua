-- Health of a Pipeline for Argo CD: resource.customizations.health.spanway.dev_Pipeline in argocd-cm.
local health = { status = "Progressing", message = "the operator has not reconciled it yet" }
if obj.status == nil or obj.status.conditions == nil then
  return health
end
local conditions = {}
for _, condition in ipairs(obj.status.conditions) do
  conditions[condition.type] = condition
end
local function is(type, status)
  return conditions[type] ~= nil and conditions[type].status == status
end
local function report(status, type)
  health.status = status
  health.message = conditions[type].reason .. ": " .. conditions[type].message
  return health
end

if is("Paused", "True") then
  return report("Suspended", "Paused")
end
-- The status describes an older spec.
if obj.status.observedGeneration ~= obj.metadata.generation then
  health.message = "the operator has not reconciled this generation yet"
  return health
end
if is("Stalled", "True") then
  return report("Degraded", "Stalled")
end
if is("Reconciling", "True") then
  return report("Progressing", "Reconciling")
end
if is("Ready", "False") then
  return report("Degraded", "Ready")
end
if is("Degraded", "True") then
  return report("Degraded", "Degraded")
end
if is("Ready", "True") then
  return report("Healthy", "Ready")
end
return health
