{{/*
When the setup runs: after an install, because the bundled stores come with the release, and before an upgrade, because
new pods expect its tables. After the upgrade that brings a bundled store.
*/}}
{{- define "tally.setupHooks" -}}
{{- $upgrade := "pre-upgrade" -}}
{{- range list "redis" "postgres" "influxdb" -}}
{{- $name := printf "%s-%s" (include "tally.fullname" $) . -}}
{{- if and $.Release.IsUpgrade (include "tally.bundled" (list $ .)) (not (lookup "apps/v1" "StatefulSet" $.Release.Namespace $name)) -}}
{{- $upgrade = "post-upgrade" -}}
{{- end -}}
{{- end -}}
post-install,{{ $upgrade }}
{{- end }}
