{{- define "weir.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "weir.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "weir.labels" -}}
app.kubernetes.io/name: weir
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "weir.selector" -}}
app.kubernetes.io/name: weir
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "weir.secretName" -}}
{{ .Values.secret.existing | default (include "weir.name" .) }}
{{- end -}}

{{- define "weir.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "weir.name" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{/* The keys of the Secret that need not be there, and are. */}}
{{- define "weir.secretKeys" -}}
{{- if .Values.secret.existing -}}
{{ join "," .Values.secretKeys }}
{{- else -}}
{{ ternary "redis-url," "" (ne .Values.secret.redisUrl "") }}{{ ternary "redis-password" "" (ne .Values.secret.redisPassword "") }}
{{- end -}}
{{- end -}}

{{/* Environment of a process: dict "root" $ "roles" "gateway" */}}
{{- define "weir.environment" -}}
- { name: WEIR_HOME, value: /var/lib/weir }
- { name: WEIR_ROLES, value: {{ .roles }} }
- { name: WEIR_PUBLIC_HOST, value: {{ .root.Values.listenAddress | quote }} }
- { name: WEIR_ADMIN_HOST, value: {{ .root.Values.listenAddress | quote }} }
- { name: WEIR_DEMO, value: '0' }
- { name: WEIR_DRAIN_DELAY_MS, value: {{ mul (ternary 0 .root.Values.drain.delaySeconds (eq .roles "worker")) 1000 | quote }} }
- { name: WEIR_DRAIN_TIMEOUT_MS, value: {{ mul .root.Values.drain.timeoutSeconds 1000 | quote }} }
- { name: WEIR_KEEP_ALIVE_TIMEOUT_MS, value: {{ mul .root.Values.keepAliveSeconds 1000 | quote }} }
{{- if and .root.Values.tls.secretName (eq .roles "gateway") }}
- { name: WEIR_TLS_CERT, value: /etc/weir/tls/tls.crt }
- { name: WEIR_TLS_KEY, value: /etc/weir/tls/tls.key }
{{- end }}
{{- include "weir.secretEnvironment" .root }}
{{- range $name, $value := .root.Values.config }}
- { name: {{ $name }}, value: {{ $value | toString | quote }} }
{{- end }}
{{- end -}}

{{- define "weir.secretEnvironment" }}
- { name: DATABASE_URL_FILE, value: /etc/weir/secrets/database-url }
- { name: WEIR_MASTER_KEY_FILE, value: /etc/weir/secrets/master-key }
{{- $names := dict "master-key-previous" "WEIR_MASTER_KEY_PREVIOUS_FILE" "redis-url" "REDIS_URL_FILE" "redis-password" "REDIS_PASSWORD_FILE" "redis-sentinel-password" "REDIS_SENTINEL_PASSWORD_FILE" }}
{{- range splitList "," (include "weir.secretKeys" .) }}
{{- if . }}
- { name: {{ get $names . | required (printf "secretKeys: %s is not known" .) }}, value: /etc/weir/secrets/{{ . }} }
{{- end }}
{{- end }}
{{- end -}}

{{- define "weir.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end -}}

{{/* What every container of a process has: dict "root" $ "roles" "gateway" "values" .Values.gateway */}}
{{- define "weir.container" -}}
name: weir
image: {{ include "weir.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
{{ include "weir.containerSecurity" .root }}
env:
  {{- include "weir.environment" . | nindent 2 }}
{{- with .root.Values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
resources:
  {{- toYaml .values.resources | nindent 2 }}
volumeMounts:
  - { name: home, mountPath: /var/lib/weir }
  - { name: tmp, mountPath: /tmp }
  - { name: secrets, mountPath: /etc/weir/secrets, readOnly: true }
  {{- if and .root.Values.tls.secretName (eq .roles "gateway") }}
  - { name: tls, mountPath: /etc/weir/tls, readOnly: true }
  {{- end }}
{{- end -}}

{{/* dict "port" "public" "scheme" "HTTP" */}}
{{- define "weir.probes" -}}
startupProbe:
  httpGet: { path: /livez, port: {{ .port }}, scheme: {{ .scheme }} }
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /livez, port: {{ .port }}, scheme: {{ .scheme }} }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /readyz, port: {{ .port }}, scheme: {{ .scheme }} }
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
{{- end -}}

{{/* What every pod has: dict "root" $ "values" .Values.gateway */}}
{{- define "weir.pod" -}}
serviceAccountName: {{ include "weir.serviceAccountName" .root }}
automountServiceAccountToken: false
# A Service named weir would set variables such as WEIR_PORT.
enableServiceLinks: false
securityContext:
  {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- range $field := list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" }}
{{- with get $.values $field }}
{{ $field }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "weir.volumes" -}}
- { name: tmp, emptyDir: {} }
- name: secrets
  secret: { secretName: {{ include "weir.secretName" . }}, defaultMode: 288 }
{{- end -}}
