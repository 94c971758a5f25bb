{{/* What every pod of the release has: no token, no rights, no strangers' variables. */}}
{{- define "tally.podSecurity" -}}
serviceAccountName: {{ include "tally.fullname" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- end }}

{{/* Runs as that user alone. Takes its uid, which is the gid and the volumes' group too. */}}
{{- define "tally.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "tally.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{/*
What all containers of Tally begin with. Takes a list of root, the name of the Secret with the stores' variables and, where
there are any, mounts beside those of all pods.
*/}}
{{- define "tally.container" -}}
{{- $root := index . 0 -}}
{{- with $root.Values -}}
image: {{ include "tally.image" $root }}
imagePullPolicy: {{ .image.pullPolicy }}
securityContext: {{- include "tally.containerSecurityContext" $root | nindent 2 }}
{{- with gt (len $) 2 | ternary (last $) list | concat .extraVolumeMounts }}
volumeMounts: {{- toYaml . | nindent 2 }}
{{- end }}
env:
  {{- with .extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
  {{- include "tally.storesEnv" . | nindent 2 }}
{{- end }}

{{/* The variables of a process, as `name: value` pairs in order. Takes the settings and the ports. */}}
{{- define "tally.settingsEnv" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ toString $value | quote }}
{{- end }}
{{- end }}

{{/* OpenTelemetry's own variables, where there is a collector. Takes root. */}}
{{- define "tally.tracingEnv" -}}
{{- with .Values.tracing }}
{{- if .endpoint }}
{{- $sampler := dict "OTEL_TRACES_SAMPLER" "parentbased_traceidratio" "OTEL_TRACES_SAMPLER_ARG" .ratio }}
{{- include "tally.settingsEnv" (set $sampler "OTEL_EXPORTER_OTLP_ENDPOINT" .endpoint) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Spread over nodes and zones, each version of a Deployment by itself. Takes the selector's labels. */}}
{{- define "tally.spread" -}}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- $ | nindent 6 }}
  matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}

{{/*
A short-lived pod of Tally, from its restart policy down to its one container. Takes root, component, secret, command
and, beside the stores, env.
*/}}
{{- define "tally.jobPod" -}}
restartPolicy: Never
{{ include "tally.podSecurity" .root }}
securityContext: {{- include "tally.podSecurityContext" 1000 | nindent 2 }}
{{- with .root.Values.extraVolumes }}
volumes: {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: {{ .component }}
    {{- include "tally.container" (list .root .secret) | nindent 4 }}
      {{- with .env }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    command: {{ toJson .command }}
    resources:
      requests: { cpu: 50m, memory: 64Mi }
      limits: { memory: 256Mi }
{{- end }}
