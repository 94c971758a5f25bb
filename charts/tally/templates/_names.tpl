{{/* The prefix of all names: release and chart, or the release alone when it has the chart's name in it. */}}
{{- define "tally.fullname" -}}
{{- $chart := default .Chart.Name .Values.nameOverride -}}
{{- $release := contains $chart .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $chart) -}}
{{- default $release .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end }}

{{/* What tells a component's objects from all others; never changes. Takes a list of root and component. */}}
{{- define "tally.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ default $root.Chart.Name $root.Values.nameOverride }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* The labels of a component's objects. Takes a list of root and component. */}}
{{- define "tally.labels" -}}
{{- $root := index . 0 -}}
{{ include "tally.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Pods of some components, for a selector. Takes a list of root and components. */}}
{{- define "tally.componentsSelector" -}}
{{- $root := index . 0 -}}
matchLabels:
  app.kubernetes.io/name: {{ default $root.Chart.Name $root.Values.nameOverride }}
  app.kubernetes.io/instance: {{ $root.Release.Name }}
matchExpressions:
  - { key: app.kubernetes.io/component, operator: In, values: {{ index . 1 | toJson }} }
{{- end }}

{{- define "tally.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end }}
