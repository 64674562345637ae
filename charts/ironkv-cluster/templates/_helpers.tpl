{{- define "ironkv-cluster.name" -}}
{{- $name := .Values.name | default .Release.Name -}}
{{- if gt (len $name) 40 -}}
{{- fail (printf "%q is longer than 40 characters, the most a cluster's name may have; set `name`" $name) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{- define "ironkv-cluster.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* The Secret and the key with the password, or nothing when clients need none. */}}
{{- define "ironkv-cluster.password" -}}
{{- $auth := .Values.cluster.auth | default dict -}}
{{- if dig "enabled" true $auth -}}
{{- $secret := dig "secret" dict $auth | default dict -}}
name: {{ $secret.name | default (printf "%s-auth" (include "ironkv-cluster.name" .)) }}
key: {{ $secret.key | default "password" }}
{{- end -}}
{{- end -}}
