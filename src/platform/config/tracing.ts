import { Secret } from '../crypto/index.js';
import type { TracingOptions } from '../telemetry/index.js';

const SAMPLERS: readonly TracingOptions['sampler'][] = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
];

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Null: nothing is traced, and no other variable of OpenTelemetry is looked at.
 * @param faults gets what is wrong. No fault repeats a header.
 */
export function readTracing(variables: Variables, faults: string[]): TracingOptions | null {
  const of = (name: string) => variables[`OTEL_EXPORTER_OTLP_TRACES_${name}`] ?? variables[`OTEL_EXPORTER_OTLP_${name}`];
  const own = variables['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'];
  const base = variables['OTEL_EXPORTER_OTLP_ENDPOINT'];
  const named = own ?? base?.replace(/\/*$/, '/v1/traces');
  const isOff = variables['OTEL_SDK_DISABLED'] === 'true' || variables['OTEL_TRACES_EXPORTER'] === 'none';
  if (named === undefined || isOff) return null;
  const fault = (name: string, text: string) => void faults.push(`${name} ${text}`);

  if (!/^https?:\/\/[^\s@]+$/.test(named) || !URL.canParse(named))
    fault(
      own === undefined ? 'OTEL_EXPORTER_OTLP_ENDPOINT' : 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
      'must be a URL such as http://collector:4318, without user and password',
    );
  if ((of('PROTOCOL') ?? 'http/protobuf') !== 'http/protobuf')
    fault('OTEL_EXPORTER_OTLP_PROTOCOL', 'must be http/protobuf, which collectors take on port 4318');
  const headers = pairs(of('HEADERS'));
  if (!headers) fault('OTEL_EXPORTER_OTLP_HEADERS', 'must be a comma list of name=value');
  const resource = pairs(variables['OTEL_RESOURCE_ATTRIBUTES']);
  if (!resource) fault('OTEL_RESOURCE_ATTRIBUTES', 'must be a comma list of name=value');
  const timeoutMs = Number(of('TIMEOUT') ?? 10_000);
  if (!(timeoutMs >= 1 && timeoutMs <= 60_000)) fault('OTEL_EXPORTER_OTLP_TIMEOUT', 'must be a number of milliseconds, from 1 to 60000');
  const sampler = SAMPLERS.find((name) => name === (variables['OTEL_TRACES_SAMPLER'] ?? 'parentbased_always_on'));
  if (!sampler) fault('OTEL_TRACES_SAMPLER', `must be one of ${SAMPLERS.join(', ')}`);
  const ratio = Number(variables['OTEL_TRACES_SAMPLER_ARG'] ?? 1);
  if (!(ratio >= 0 && ratio <= 1)) fault('OTEL_TRACES_SAMPLER_ARG', 'must be a number from 0 to 1');
  if (!headers || !resource || !sampler) return null;
  return {
    url: named,
    headers: Object.fromEntries([...headers].map(([name, value]) => [name, new Secret(value)])),
    timeoutMs,
    serviceName: variables['OTEL_SERVICE_NAME'] ?? resource.get('service.name') ?? 'weir',
    resource: Object.fromEntries(resource),
    sampler,
    ratio,
    joinsClients: (variables['OTEL_PROPAGATORS'] ?? 'tracecontext').split(',').some((name) => name.trim() === 'tracecontext'),
  };
}

/** `name=value,…`, with what is percent-encoded decoded; null: it is none. */
function pairs(text = ''): Map<string, string> | null {
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
  const found = parts.map((part) => /^([!#$%&'*+.^_`|~\w-]+)\s*=\s*(\S.*)$/.exec(part));
  try {
    return found.includes(null) ? null : new Map(found.map((match) => [match![1]!, decodeURIComponent(match![2]!)]));
  } catch {
    return null;
  }
}
