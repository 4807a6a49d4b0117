import { readTracing } from './tracing.js';

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };

function read(variables: Readonly<Record<string, string | undefined>>) {
  const faults: string[] = [];
  return { options: readTracing(variables, faults), faults };
}

test('nothing is traced without an endpoint, whatever else is set', () => {
  const others = { OTEL_TRACES_SAMPLER: 'xray', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_HEADERS: 'nonsense' };
  expect(read(others)).toEqual({ options: null, faults: [] });
  for (const off of [{ OTEL_SDK_DISABLED: 'true' }, { OTEL_TRACES_EXPORTER: 'none' }])
    expect(read({ ...ENDPOINT, ...off })).toEqual({ options: null, faults: [] });
});

test('an endpoint gets the path of traces, and one of traces alone is taken as it is', () => {
  expect(read(ENDPOINT).options).toMatchObject({
    url: 'http://collector:4318/v1/traces',
    serviceName: 'weir',
    sampler: 'parentbased_always_on',
    ratio: 1,
    timeoutMs: 10_000,
    joinsClients: true,
  });
  expect(read({ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://c/otel/' }).options!.url).toBe('https://c/otel/v1/traces');
  expect(read({ ...ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://c/in' }).options!.url).toBe('https://c/in');
});

test('headers, the name of the service, its attributes and the sampler are taken', () => {
  const { options, faults } = read({
    ...ENDPOINT,
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20key, x-team = a=b',
    OTEL_RESOURCE_ATTRIBUTES: 'service.name=gateway,deployment.environment.name=eu',
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.25',
    OTEL_PROPAGATORS: 'none',
  });
  expect(faults).toEqual([]);
  expect(Object.entries(options!.headers).map(([name, value]) => [name, value.reveal()])).toEqual([
    ['authorization', 'Bearer key'],
    ['x-team', 'a=b'],
  ]);
  expect(options).toMatchObject({
    serviceName: 'gateway',
    resource: { 'deployment.environment.name': 'eu' },
    sampler: 'parentbased_traceidratio',
    ratio: 0.25,
    joinsClients: false,
  });
  expect(read({ ...ENDPOINT, OTEL_RESOURCE_ATTRIBUTES: 'service.name=a', OTEL_SERVICE_NAME: 'b' }).options!.serviceName).toBe('b');
});

test.each([
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' }, 'OTEL_EXPORTER_OTLP_ENDPOINT must be a URL'],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://user:canary@collector' }, 'OTEL_EXPORTER_OTLP_ENDPOINT must be a URL'],
  [{ ...ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf'],
  [{ ...ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS: 'canary' }, 'OTEL_EXPORTER_OTLP_HEADERS must be a comma list'],
  [{ ...ENDPOINT, OTEL_EXPORTER_OTLP_TIMEOUT: '10s' }, 'OTEL_EXPORTER_OTLP_TIMEOUT must be a number of milliseconds'],
  [{ ...ENDPOINT, OTEL_TRACES_SAMPLER: 'xray' }, 'OTEL_TRACES_SAMPLER must be one of always_on'],
  [{ ...ENDPOINT, OTEL_TRACES_SAMPLER_ARG: '50%' }, 'OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1'],
] as const)('%j is a fault that says what to do, and repeats no secret', (variables, fault) => {
  const { faults } = read(variables);
  expect(faults).toEqual([expect.stringContaining(fault)]);
  expect(faults[0]).not.toContain('canary');
});
