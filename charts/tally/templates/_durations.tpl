{{/* A duration such as 500ms, 1.5s, 2m, 1h or 7d in milliseconds. */}}
{{- define "tally.milliseconds" -}}
{{- $text := toString . -}}
{{- if not (regexMatch "^[0-9]+([.][0-9]+)?(ms|s|m|h|d)$" $text) -}}
{{- fail (printf "%q is no duration such as 500ms, 30s or 7d" $text) -}}
{{- end -}}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 -}}
{{- $unit := regexFind "[a-z]+$" $text -}}
{{- mulf (trimSuffix $unit $text | float64) (index $units $unit) | ceil | int64 -}}
{{- end }}

{{/*
How long a pod may take to end, in whole seconds: what its drain may take, 10 s for its closes, of which each has a
deadline of its own, and 5 s so that its receipt is heard. Takes the durations of the drain.
*/}}
{{- define "tally.graceSeconds" -}}
{{- $ms := 0 -}}
{{- range . -}}
{{- $ms = add $ms (include "tally.milliseconds" . | int64) -}}
{{- end -}}
{{- add (divf $ms 1000 | ceil | int64) 15 -}}
{{- end }}
