{{/* The name of everything: the release's, with the chart's where it does not contain it. */}}
{{- define "gpu-admission.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end }}
{{- end }}

{{- define "gpu-admission.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "gpu-admission.ownLabels" -}}
{{ include "gpu-admission.selector" . }}
app.kubernetes.io/part-of: {{ .Chart.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "gpu-admission.labels" -}}
{{ include "gpu-admission.ownLabels" . }}
{{- with .Values.extraLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "gpu-admission.metadata" -}}
name: {{ include "gpu-admission.name" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "gpu-admission.labels" . | nindent 2 }}
{{- end }}

{{- define "gpu-admission.secret" -}}
{{ .Values.certificates.secretName | default (printf "%s-tls" (include "gpu-admission.name" .)) }}
{{- end }}

{{- define "gpu-admission.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* Names of the policy files, as a JSON list: what the server is given, in its order. */}}
{{- define "gpu-admission.policyFiles" -}}
{{- $names := list }}
{{- range .Values.policy.files }}{{ $names = append $names (printf "%s.yaml" .name) }}{{ end }}
{{- toJson ($names | default (list "policy.yaml")) }}
{{- end }}

{{/* A policy's text at the stage of the rollout: as it is, or with its mode lowered. */}}
{{- define "gpu-admission.policyText" -}}
{{- $mode := dict "audit" "audit" "warn" "warn" "repair" "warn" }}
{{- if eq .stage "enforce" }}
{{- .text }}
{{- else }}
{{- $policy := fromYaml .text }}
{{- $spec := $policy.spec | default dict }}
{{- if ne (dig "mode" "enforce" $spec) "audit" }}
{{- $_ := set $spec "mode" (get $mode .stage) }}
{{- end }}
{{- $_ := set $policy "spec" $spec }}
{{- toYaml $policy }}
{{- end }}
{{- end }}

{{/*
The webhooks of the policy as JSON, {"mutating": [...], "validating": [...]}: made by `gpu-admission manifests` and
generated into files/webhooks, or given in policy.webhooks. Here only the names of this release are filled in.
*/}}
{{- define "gpu-admission.webhooks" -}}
{{- include "gpu-admission.check" . }}
{{- $ := . }}
{{- $made := .Values.policy.webhooks }}
{{- if eq .Values.policies.source "crd" }}
{{- $made = .Files.Get (printf "files/policy-objects/%s.json" (ternary "every-pod" "webhooks" .Values.policies.everyPod)) | fromJson }}
{{- else if .Values.policy.name }}
{{- $made = .Files.Get (printf "files/webhooks/%s.json" .Values.policy.name) | fromJson }}
{{- end }}
{{- $lines := .Files.Get "files/expressions.json" | fromJson }}
{{- $bundle := "" }}
{{- if eq .Values.certificates.source "secret" }}{{ $bundle = b64enc .Values.certificates.caBundle }}{{ end }}
{{- $result := dict }}
{{- range $kind := list "mutating" "validating" }}
{{- $hooks := list }}
{{- range get $made $kind }}
{{- $hook := deepCopy . }}
{{- $service := $hook.clientConfig.service }}
{{- $_ := set $service "name" (include "gpu-admission.name" $) }}
{{- $_ := set $service "namespace" $.Release.Namespace }}
{{- $_ := set $service "port" $.Values.service.port }}
{{- if $bundle }}{{ $_ := set $hook.clientConfig "caBundle" $bundle }}{{ end }}
{{- if ne $.Values.stage "enforce" }}{{ $_ := set $hook "failurePolicy" "Ignore" }}{{ end }}
{{- range $hook.namespaceSelector.matchExpressions }}
{{- $values := list }}
{{- range .values }}{{ $values = append $values (. | replace "@namespace@" $.Release.Namespace) }}{{ end }}
{{- $_ := set . "values" ($values | uniq | sortAlpha) }}
{{- end }}
{{- range $condition := $hook.matchConditions }}
{{- if kindIs "slice" .expression }}
{{- $text := list }}
{{- range .expression }}{{ $text = append $text (get $lines .) }}{{ end }}
{{- $_ := set $condition "expression" (join "\n" $text) }}
{{- end }}
{{- end }}
{{- $hooks = append $hooks $hook }}
{{- end }}
{{- $_ := set $result $kind $hooks }}
{{- end }}
{{- if has .Values.stage (list "audit" "warn") }}{{ $_ := set $result "mutating" list }}{{ end }}
{{- toJson $result }}
{{- end }}

{{/* The mode that a stage allows at most: of policies that are objects, which this chart does not write. */}}
{{- define "gpu-admission.mode" -}}
{{- get (dict "audit" "audit" "warn" "warn" "repair" "warn" "enforce" "enforce") .Values.stage }}
{{- end }}

{{- define "gpu-admission.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "gpu-admission.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}
