{{/* What the schema cannot say: values that contradict one another. Each failure is one sentence. */}}
{{- define "gpu-admission.check" -}}
{{- if .Values.inTree.objects }}{{ include "gpu-admission.checkInTree" . }}{{ end }}
{{- if eq .Values.policies.source "crd" }}{{ include "gpu-admission.checkObjects" . }}{{ else if not .Values.inTree.objects }}{{ include "gpu-admission.checkPolicy" . }}{{ end }}
{{- if and .Values.policies.everyPod (ne .Values.policies.source "crd") }}
{{- fail "policies.everyPod: is only for policies.source crd, a policy in a file says it by visibleDevices.everyPod" }}
{{- end }}
{{- include "gpu-admission.checkCertificates" . }}
{{- range $key, $_ := include "gpu-admission.selector" . | fromYaml }}
{{- if hasKey $.Values.extraLabels $key }}
{{- fail (printf "extraLabels: %s is what the Service selects replicas by, choose another label" $key) }}
{{- end }}
{{- end }}
{{- range $key, $_ := include "gpu-admission.ownLabels" . | fromYaml }}
{{- if hasKey $.Values.extraLabels $key }}
{{- fail (printf "extraLabels: the chart sets %s itself, choose another label" $key) }}
{{- end }}
{{- end }}
{{- range $name := list "podMonitor" "serviceMonitor" }}
{{- range $key, $_ := (index $.Values.metrics $name).labels }}
{{- if or (hasKey $.Values.extraLabels $key) (hasKey (include "gpu-admission.ownLabels" $ | fromYaml) $key) }}
{{- fail (printf "metrics.%s.labels: %s is set already, by the chart or by extraLabels: leave it out of one of them" $name $key) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $key := list "scrape" "port" "path" }}
{{- if and $.Values.metrics.scrapeAnnotations (hasKey $.Values.podAnnotations (printf "prometheus.io/%s" $key)) }}
{{- fail (printf "podAnnotations: prometheus.io/%s is set by metrics.scrapeAnnotations: set that to false to set your own" $key) }}
{{- end }}
{{- end }}
{{- if and .Values.metrics.serviceMonitor.enabled (eq (int .Values.service.port) (int .Values.server.ports.health)) }}
{{- fail (printf "service.port and server.ports.health are both %v, and with metrics.serviceMonitor the Service has both: choose two ports" .Values.service.port) }}
{{- end }}
{{- if and .Values.image.tag .Values.image.digest }}
{{- fail "image.tag and image.digest: set one of them, the digest already names one image" }}
{{- end }}
{{- if and .Values.metrics.podMonitor.enabled .Values.metrics.serviceMonitor.enabled }}
{{- fail "metrics.podMonitor and metrics.serviceMonitor: enable one of them, both would scrape every replica twice" }}
{{- end }}
{{- if eq (int .Values.server.ports.webhook) (int .Values.server.ports.health) }}
{{- fail (printf "server.ports: webhook and health are both %v, and must be two ports" .Values.server.ports.health) }}
{{- end }}
{{- if and (has .Release.Namespace (list "default" "kube-system" "kube-public" "kube-node-lease")) (not .Values.inTree.objects) }}
{{- fail (printf "the release's namespace is %s, and the webhook's own namespace is exempt and has a quota: add --namespace gpu-admission --create-namespace" .Release.Namespace) }}
{{- end }}
{{- if and (has .Values.test.namespace (list .Release.Namespace "kube-system")) (not .Values.inTree.objects) }}
{{- fail (printf "test.namespace: %s is exempt from the webhook, choose a namespace where users create pods" .Values.test.namespace) }}
{{- end }}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" (include "gpu-admission.name" .)) }}
{{- fail (printf "the release's name makes %q, which is not a valid name of a Service: use lower-case letters, digits and -, beginning with a letter" (include "gpu-admission.name" .)) }}
{{- end }}
{{- if gt (len (include "gpu-admission.name" .)) 50 }}
{{- fail (printf "the release's name makes %q of more than 50 characters, choose a shorter one" (include "gpu-admission.name" .)) }}
{{- end }}
{{- end }}

{{- define "gpu-admission.checkInTree" -}}
{{- $again := "write it with `gpu-admission manifests -p NAME|FILE --in-tree --values`" }}
{{- with .Values.inTree }}
{{- if or $.Values.policy.files $.Values.policy.webhooks }}
{{- fail "inTree and policy.files exclude each other: the API server judges by itself, or calls the webhook" }}
{{- end }}
{{- if not (has $.Values.policy.name (list "" "default")) }}
{{- fail (printf "policy.name: %q is not used with inTree: `gpu-admission manifests -p %s --in-tree --values` writes its objects" $.Values.policy.name $.Values.policy.name) }}
{{- end }}
{{- if $.Values.audit.enabled }}
{{- fail "audit.enabled needs the policy of a webhook: with inTree, deploy/audit is an audit with a policy of its own" }}
{{- end }}
{{- if ne .version $.Chart.AppVersion }}
{{- fail (printf "inTree was made by gpu-admission %s and this chart is for %s: %s of that version" .version $.Chart.AppVersion $again) }}
{{- end }}
{{- $needed := "1.30.0-0" }}
{{- range .objects }}{{ if hasPrefix "Mutating" .kind }}{{ $needed = "1.36.0-0" }}{{ end }}{{ end }}
{{- if not (semverCompare ">=1.30.0-0" $.Capabilities.KubeVersion.Version) }}
{{- fail (printf "inTree needs Kubernetes 1.30 and this is %s: leave inTree out to use the webhook" $.Capabilities.KubeVersion.Version) }}
{{- end }}
{{- if not (semverCompare (printf ">=%s" $needed) $.Capabilities.KubeVersion.Version) }}
{{- fail (printf "inTree needs Kubernetes %s and this is %s: %s" (trimSuffix ".0-0" $needed) $.Capabilities.KubeVersion.Version (replace "--values`" (printf "--values --kubernetes-version %s.%s`" $.Capabilities.KubeVersion.Major $.Capabilities.KubeVersion.Minor) $again)) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "gpu-admission.checkObjects" -}}
{{- if .Values.inTree.objects }}
{{- fail "inTree and policies.source crd exclude each other: the API server evaluates policies that are known" }}
{{- end }}
{{- if or .Values.policy.files .Values.policy.webhooks }}
{{- fail "policy.files and policies.source crd exclude each other: apply the policies with kubectl" }}
{{- end }}
{{- if not (has .Values.policy.name (list "" "default")) }}
{{- fail (printf "policy.name: %q is not used with policies.source crd: `gpu-admission policy show %s | kubectl apply -f -` makes it an object" .Values.policy.name .Values.policy.name) }}
{{- end }}
{{- if .Values.audit.enabled }}
{{- fail "audit.enabled needs policies.source files: with crd, deploy/audit is an audit with a policy of its own" }}
{{- end }}
{{- end }}

{{- define "gpu-admission.checkPolicy" -}}
{{- $policy := .Values.policy }}
{{- $again := "write both with `gpu-admission manifests -p FILE --values`" }}
{{- if and $policy.name (or $policy.files $policy.webhooks) }}
{{- fail "policy.name and policy.files exclude each other: set policy.name to \"\" to use policies of your own" }}
{{- end }}
{{- if $policy.name }}
{{- if not (.Files.Get (printf "files/webhooks/%s.json" $policy.name)) }}
{{- $names := list }}
{{- range $path, $_ := .Files.Glob "files/webhooks/*.json" }}{{ $names = append $names (base $path | trimSuffix ".json") }}{{ end }}
{{- fail (printf "policy.name: %q is not a shipped policy, choose from %s" $policy.name (join ", " ($names | sortAlpha))) }}
{{- end }}
{{- else }}
{{- if not $policy.files }}
{{- fail "policy: set policy.name to a shipped policy, or use the values of `gpu-admission manifests -p FILE --values`" }}
{{- end }}
{{- if not $policy.webhooks }}
{{- fail (printf "policy.files needs policy.webhooks, which is made from it: %s" $again) }}
{{- end }}
{{- $texts := list }}
{{- range $policy.files }}{{ $texts = append $texts .content }}{{ end }}
{{- if ne (join "\n---\n" $texts | sha256sum) $policy.webhooks.digest }}
{{- fail (printf "policy.files was changed after policy.webhooks was made from it: %s" $again) }}
{{- end }}
{{- if ne $policy.webhooks.version .Chart.AppVersion }}
{{- fail (printf "policy.webhooks was made by gpu-admission %s and this chart is for %s: %s of that version" $policy.webhooks.version .Chart.AppVersion $again) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "gpu-admission.checkCertificates" -}}
{{- with .Values.certificates }}
{{- if eq .source "secret" }}
{{- if not .secretName }}
{{- fail "certificates.secretName: with source secret, name the Secret that holds tls.crt and tls.key" }}
{{- end }}
{{- if not (contains "-----BEGIN CERTIFICATE-----" .caBundle) }}
{{- fail "certificates.caBundle: with source secret, give the PEM of the CA that verifies tls.crt, or the API server trusts no replica" }}
{{- end }}
{{- if contains "PRIVATE KEY" .caBundle }}
{{- fail "certificates.caBundle: holds a private key, give the CA's certificate alone" }}
{{- end }}
{{- else if .caBundle }}
{{- fail (printf "certificates.caBundle: is only for source secret, with %s it is filled in by itself" .source) }}
{{- end }}
{{- if and (eq .source "cert-manager") .issuerRef (not .issuerRef.name) }}
{{- fail "certificates.issuerRef.name: name the Issuer, or leave issuerRef out for one that signs itself" }}
{{- end }}
{{- if and (eq .source "cert-manager") (eq .secretName (printf "%s-ca" (include "gpu-admission.name" $))) }}
{{- fail (printf "certificates.secretName: %s is the Secret of the CA, choose another name" .secretName) }}
{{- end }}
{{- if and .issuerRef (ne .source "cert-manager") }}
{{- fail (printf "certificates.issuerRef: is only for source cert-manager, and source is %s" .source) }}
{{- end }}
{{- end }}
{{- end }}
