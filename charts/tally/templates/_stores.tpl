{{/* "true" when the chart brings the store along. Takes a list of root and store. */}}
{{- define "tally.bundled" -}}
{{- $store := index (index . 0).Values (index . 1) -}}
{{- if not (or $store.url $store.existingSecret.name) -}}true{{- end -}}
{{- end }}

{{/*
Password or token of a bundled store: what the cluster holds already, else what is given, else generated, once per
rendering. Takes a list of root, store and key.
*/}}
{{- define "tally.credential" -}}
{{- $root := index . 0 -}}
{{- $store := index . 1 -}}
{{- $key := index . 2 -}}
{{- $name := printf "%s-%s" (include "tally.fullname" $root) $store -}}
{{- $given := index $root.Values $store $key -}}
{{- $held := dig "data" $key "" (lookup "v1" "Secret" $root.Release.Namespace $name) | b64dec -}}
{{- if and $held $given (ne $held $given) -}}
{{- fail (printf "%s.%s differs from what Secret %s holds. %s took that one when its volume was new: change it there, then in the Secret, then here." $store $key $name $store) -}}
{{- end -}}
{{- if not $root.generated -}}
{{- $_ := set $root "generated" dict -}}
{{- end -}}
{{- $id := printf "%s.%s" $store $key -}}
{{- if not (hasKey $root.generated $id) -}}
{{- $_ := set $root.generated $id (coalesce $held $given (randAlphaNum 32)) -}}
{{- end -}}
{{- index $root.generated $id -}}
{{- end }}

{{/* Where a bundled store is, as other namespaces reach it too. Takes a list of root and store. */}}
{{- define "tally.storeHost" -}}
{{- $root := index . 0 -}}
{{ include "tally.fullname" $root }}-{{ index . 1 }}.{{ $root.Release.Namespace }}.svc
{{- end }}

{{/* The variables that no existing Secret holds, as the data of our own. */}}
{{- define "tally.storesData" -}}
{{- with .Values.redis -}}
{{- if .url }}
REDIS_URL: {{ .url | quote }}
{{- else if not .existingSecret.name }}
REDIS_URL: redis://:{{ include "tally.credential" (list $ "redis" "password") }}@{{ include "tally.storeHost" (list $ "redis") }}:6379
{{- end }}
{{- end }}
{{- with .Values.postgres -}}
{{- if .url }}
DATABASE_URL: {{ .url | quote }}
{{- else if not .existingSecret.name }}
DATABASE_URL: postgres://tally:{{ include "tally.credential" (list $ "postgres" "password") }}@{{ include "tally.storeHost" (list $ "postgres") }}:5432/tally
{{- end }}
{{- end }}
{{- with .Values.influxdb -}}
{{- if .url }}
INFLUX_URL: {{ .url | quote }}
{{- else if not .existingSecret.name }}
INFLUX_URL: http://{{ include "tally.storeHost" (list $ "influxdb") }}:8086
{{- end }}
{{- if include "tally.bundled" (list $ "influxdb") }}
INFLUX_TOKEN: {{ include "tally.credential" (list $ "influxdb" "token") | quote }}
{{- else if not .existingSecret.name }}
INFLUX_TOKEN: {{ .token | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* A variable out of the existing Secret, or out of ours. Takes name, key, existing (or empty) and ours. */}}
{{- define "tally.secretVariable" -}}
- name: {{ .name }}
  valueFrom:
    {{- if .existing }}
    secretKeyRef: { name: {{ .existing }}, key: {{ .key }} }
    {{- else }}
    secretKeyRef: { name: {{ .ours }}, key: {{ .name }} }
    {{- end }}
{{- end }}

{{/* The existing Secret that holds a store's address; an address in the values goes before it. Takes the store's values. */}}
{{- define "tally.addressSecret" -}}
{{- if not .url -}}{{ .existingSecret.name }}{{- end -}}
{{- end }}

{{/* The variables of the stores. Takes a list of root and the name of our Secret. */}}
{{- define "tally.storesEnv" -}}
{{- $ours := index . 1 -}}
{{- with (index . 0).Values -}}
{{- $redis := include "tally.addressSecret" .redis -}}
{{- $postgres := include "tally.addressSecret" .postgres -}}
{{- $influxdb := include "tally.addressSecret" .influxdb -}}
{{- $keys := .influxdb.existingSecret -}}
{{ include "tally.secretVariable" (dict "name" "REDIS_URL" "key" .redis.existingSecret.key "existing" $redis "ours" $ours) }}
{{ include "tally.secretVariable" (dict "name" "DATABASE_URL" "key" .postgres.existingSecret.key "existing" $postgres "ours" $ours) }}
{{ include "tally.secretVariable" (dict "name" "INFLUX_URL" "key" $keys.urlKey "existing" $influxdb "ours" $ours) }}
{{ include "tally.secretVariable" (dict "name" "INFLUX_TOKEN" "key" $keys.tokenKey "existing" $keys.name "ours" $ours) }}
- name: INFLUX_ORG
  value: {{ .influxdb.org | quote }}
- name: INFLUX_BUCKET
  value: {{ .influxdb.bucket | quote }}
{{- end }}
{{- end }}

{{/* Changes with every secret that the pods read, so that an upgrade rolls them. */}}
{{- define "tally.storesChecksum" -}}
{{- $read := list (include "tally.storesData" .) -}}
{{- range list "redis" "postgres" "influxdb" -}}
{{- with (index $.Values .).existingSecret.name -}}
{{- $read = append $read (dig "data" dict (lookup "v1" "Secret" $.Release.Namespace .)) -}}
{{- end -}}
{{- end -}}
{{- $read | toJson | sha256sum -}}
{{- end }}

{{/*
The command of a bundled store that begins when the one before has ended: a pod that was deleted by force may still run
when its successor has the volume, and two servers on one folder spoil it. The lock is the process's own and its
children's, so it ends with the last of them. Takes a list of the folder and the command.
*/}}
{{- define "tally.aloneIn" -}}
{{- $lock := printf "exec 9>%s/.tally-lock && flock 9 && exec \"$0\" \"$@\"" (first .) -}}
{{ concat (list "sh" "-c" $lock) (rest .) | toJson }}
{{- end }}

{{/*
How much the bundled Redis may hold, in bytes, or nothing without a limit: 60 % of the pod's memory, because a rewrite of
its file copies what changes meanwhile. Full, it refuses, and chunks go to the ledger alone; at the pod's limit it would
be killed, and again when it reads its file.
*/}}
{{- define "tally.redisMaxMemory" -}}
{{- with dig "limits" "memory" "" (default dict .Values.redis.resources) -}}
{{- $text := kindIs "string" . | ternary . (int64 . | toString) -}}
{{- if not (regexMatch "^[0-9]+([.][0-9]+)?([kMGT]|[KMGT]i)?$" $text) -}}
{{- fail (printf "redis.resources.limits.memory: %q is no quantity such as 512Mi or 1Gi" $text) -}}
{{- end -}}
{{- $unit := regexFind "[A-Za-z]*$" $text -}}
{{- $units := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- mulf (trimSuffix $unit $text | float64) (index $units $unit) 0.6 | floor | int64 -}}
{{- end -}}
{{- end }}
