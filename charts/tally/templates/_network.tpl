{{/* A component's NetworkPolicy, down to its rules. Takes a list of root and component. */}}
{{- define "tally.networkPolicy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "tally.fullname" (index . 0) }}-{{ index . 1 }}
  labels: {{- include "tally.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- include "tally.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
{{- end }}

{{/* What the API speaks, and what its Service's port is called. */}}
{{- define "tally.apiProtocol" -}}
{{ empty .Values.api.tls.secretName | ternary "http" "https" }}
{{- end }}

{{/* What all pods of Tally reach: names, and the stores. */}}
{{- define "tally.egressToStores" -}}
- ports:
    - { port: 53, protocol: UDP }
    - { port: 53, protocol: TCP }
{{- $foreign := false }}
{{- range $store, $port := dict "redis" 6379 "postgres" 5432 "influxdb" 8086 }}
{{- if include "tally.bundled" (list $ $store) }}
- to:
    - podSelector:
        matchLabels: {{- include "tally.selector" (list $ $store) | nindent 10 }}
  ports: [{ port: {{ $port }} }]
{{- else }}
{{- $foreign = true }}
{{- end }}
{{- end }}
{{- if $foreign }}
# Stores of your own.
- {{ empty .Values.networkPolicy.storesTo | ternary dict (dict "to" .Values.networkPolicy.storesTo) | toJson }}
{{- end }}
{{- end }}

{{/* And where their traces go. */}}
{{- define "tally.egressToCollector" -}}
{{- with .Values.tracing.endpoint }}
{{- $url := urlParse . }}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (eq $url.scheme "https" | ternary "443" "80") | int }}
- {{ empty $.Values.networkPolicy.tracesTo | ternary dict (dict "to" $.Values.networkPolicy.tracesTo) | merge (dict "ports" (list (dict "port" $port))) | toJson }}
{{- end }}
{{- end }}

{{/* Who may read metrics. Takes a list of root and port. */}}
{{- define "tally.ingressToMetrics" -}}
{{- with (index . 0).Values.networkPolicy.metricsFrom -}}
- from: {{- toYaml . | nindent 4 }}
  ports: [{ port: {{ index $ 1 }} }]
{{- end }}
{{- end }}
