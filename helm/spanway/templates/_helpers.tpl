{{- define "spanway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 53 | trimSuffix "-" -}}
{{- end -}}

{{- define "spanway.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains (include "spanway.name" .) .Release.Name -}}
{{- printf "%s-operator" .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s-operator" .Release.Name (include "spanway.name" .) | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "spanway.selector" -}}
app.kubernetes.io/name: {{ include "spanway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "spanway.labels" -}}
{{ include "spanway.selector" . }}
app.kubernetes.io/part-of: spanway
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "spanway.serviceAccount" -}}
{{- if .Values.serviceAccount.name -}}
{{- .Values.serviceAccount.name -}}
{{- else if .Values.serviceAccount.create -}}
{{- include "spanway.fullname" . -}}
{{- else -}}
default
{{- end -}}
{{- end -}}

{{- define "spanway.tag" -}}
{{- default .Chart.AppVersion .Values.image.tag -}}
{{- end -}}

{{- define "spanway.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (include "spanway.tag" .) -}}
{{- end -}}
{{- end -}}

{{- /* What the operator may do where it runs Pipelines. */ -}}
{{- define "spanway.rules" -}}
# Pipelines: read, and their status written.
- apiGroups: [spanway.dev]
  resources: [pipelines]
  verbs: [get, list, watch]
- apiGroups: [spanway.dev]
  resources: [pipelines/status]
  verbs: [patch, update]
# Required by OwnerReferencesPermissionEnforcement for blockOwnerDeletion.
- apiGroups: [spanway.dev]
  resources: [pipelines/finalizers]
  verbs: [update]
# Objects of a Pipeline: configuration, Services, ServiceAccounts without permissions, ...
- apiGroups: [""]
  resources: [configmaps, services, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
# ... workloads, ...
- apiGroups: [apps]
  resources: [deployments, statefulsets]
  verbs: [get, list, watch, create, patch, delete]
# ... replicas of consumers, scaled by lag, ...
- apiGroups: [apps]
  resources: [deployments/scale, statefulsets/scale]
  verbs: [get, patch]
# ... the topics Job, ...
- apiGroups: [batch]
  resources: [jobs, cronjobs]
  verbs: [get, list, watch, create, patch, delete]
# ... scaling by CPU, ...
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
# ... disruption budgets, ...
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
# ... network policies, and the Ingress of the query service, ...
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies, ingresses]
  verbs: [get, list, watch, create, patch, delete]
# ... its HTTPRoute, where the Gateway API is installed, ...
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, create, patch, delete]
# ... and objects of the Prometheus operator, where it is installed.
- apiGroups: [monitoring.coreos.com]
  resources: [servicemonitors, prometheusrules]
  verbs: [get, list, watch, create, patch, delete]
# Pods: why one is not ready, and its address for /statusz.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
# Events about decisions of the operator.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch, list] # list: why pods of a StatefulSet or Job cannot be created
{{- if .Values.rbac.secrets }}
# Changes of Secrets that a Pipeline names. Never list, never watch.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
{{- end }}
{{- end -}}

{{- /* A duration such as 500ms, 30s, 5m or 1h. */}}
{{- define "spanway.milliseconds" -}}
{{- if hasSuffix "ms" . }}{{ trimSuffix "ms" . | int64 }}
{{- else if hasSuffix "s" . }}{{ mul (trimSuffix "s" . | int64) 1000 }}
{{- else if hasSuffix "m" . }}{{ mul (trimSuffix "m" . | int64) 60000 }}
{{- else }}{{ mul (trimSuffix "h" . | int64) 3600000 }}
{{- end }}
{{- end -}}

{{- define "spanway.config" -}}
admin: {host: 0.0.0.0, port: 8080}
log: {level: {{ .Values.logLevel }}}
watch_namespaces: {{ toJson .Values.watchNamespaces }}
operator_namespace: {{ .Release.Namespace }}
image_repository: {{ .Values.image.repository | quote }}
{{- with .Values.clusterId }}
cluster_id: {{ . | quote }}
{{- end }}
deny_private_endpoints: {{ .Values.denyPrivateEndpoints }}
max_concurrent_rollouts: {{ .Values.maxConcurrentRollouts }}
{{- with .Values.maintenanceWindow }}
{{- $times := splitList "-" (last (splitList " " .)) }}
{{- if eq (first $times) (last $times) }}
{{- fail (printf "maintenanceWindow: %s begins and ends at the same time; leave it empty for always" .) }}
{{- end }}
maintenance_window: {{ . | quote }}
{{- end }}
lease: {name: {{ include "spanway.fullname" . }}, namespace: {{ .Release.Namespace }}}
{{- with .Values.config }}
{{- $poll := default "10s" .statusz_poll }}
{{- $idle := default "30s" .statusz_poll_idle }}
{{- if gt (include "spanway.milliseconds" $poll | int64) (include "spanway.milliseconds" $idle | int64) }}
{{- fail (printf "config.statusz_poll: %s is above config.statusz_poll_idle, %s" $poll $idle) }}
{{- end }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The headers of one data source: names in jsonData, values in secureJsonData. Grafana reads httpHeaderName1, 2 and
so on until one is missing. */}}
{{- define "spanway.datasource.headers" -}}
{{- $names := dict -}}
{{- $values := dict -}}
{{- with .tenant -}}
{{- $_ := set $names "httpHeaderName1" ($.tenantHeader | default "X-Scope-OrgID") -}}
{{- $_ := set $values "httpHeaderValue1" . -}}
{{- end -}}
{{- with .token -}}
{{- $number := add1 (len $names) -}}
{{- $_ := set $names (printf "httpHeaderName%d" $number) "Authorization" -}}
{{- $_ := set $values (printf "httpHeaderValue%d" $number) (printf "Bearer %s" .) -}}
{{- end -}}
{{- dict "names" $names "values" $values | toYaml -}}
{{- end }}
