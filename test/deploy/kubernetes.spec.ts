import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseAllDocuments } from 'yaml';
import { readConfig } from '../../src/platform/config/index.js';
import { findKubernetesSchemas } from '../support/kubernetes-schemas.js';
import { testsIfThere } from '../support/needs.js';

jest.setTimeout(180_000);

const ROOT = path.resolve(__dirname, '../..');
const MANIFESTS = path.join(ROOT, 'deploy/kubernetes');

interface Container {
  image: string;
  args?: string[];
  env: { name: string; value: string }[];
  ports?: { name: string; containerPort: number }[];
  volumeMounts: { name: string; mountPath: string }[];
  securityContext: Record<string, unknown>;
  resources: { limits: object; requests: object };
  [probe: `${string}Probe`]: { httpGet: { path: string; port: string } };
}

interface PodSpec {
  enableServiceLinks: boolean;
  automountServiceAccountToken: boolean;
  terminationGracePeriodSeconds?: number;
  securityContext: { runAsNonRoot: boolean; runAsUser: number };
  containers: [Container];
  volumes: { name: string; emptyDir?: object; secret?: { secretName: string } }[];
}

interface Manifest {
  kind: string;
  metadata: { name: string; annotations?: Record<string, string> };
  spec: {
    replicas?: number;
    selector?: { matchLabels: Record<string, string> } & Record<string, string>;
    template?: { metadata: { labels: Record<string, string> }; spec: PodSpec };
    volumeClaimTemplates?: { metadata: { name: string } }[];
    serviceName?: string;
    metrics?: { pods: { metric: { name: string } } }[];
    ports?: { targetPort: string }[];
  };
}

const files = readdirSync(MANIFESTS, { recursive: true, encoding: 'utf8' }).filter(
  (file) => file.endsWith('.yaml') && file !== 'values.yaml',
);
const manifests = files.flatMap((file) =>
  parseAllDocuments(readFileSync(path.join(MANIFESTS, file), 'utf8')).flatMap((document) => (document.toJS() as Manifest | null) ?? []),
);
const ofKind = (kind: string) => manifests.filter((manifest) => manifest.kind === kind);
const pods = manifests.filter(({ spec }) => spec?.template).map((manifest) => [manifest.metadata.name, manifest] as const);
const processes = pods.filter(([, { kind }]) => kind !== 'Job');
const podOf = ({ spec }: Manifest): PodSpec => spec.template!.spec;

const renderCheck = (root: string) =>
  spawnSync(process.execPath, ['scripts/render-manifests.mjs', '--check'], { cwd: root, encoding: 'utf8' });

describe('the plain manifests', () => {
  it('are what the chart renders', () => {
    const { status, stderr } = renderCheck(ROOT);
    expect([stderr, status]).toEqual(['', 0]);
  });

  it('are refused when the chart, its values or a file of theirs has changed since', () => {
    const copy = mkdtempSync(path.join(tmpdir(), 'weir-chart-'));
    try {
      for (const part of ['deploy', 'scripts']) cpSync(path.join(ROOT, part), path.join(copy, part), { recursive: true });
      expect(renderCheck(copy).status).toBe(0);
      for (const file of ['helm/weir/templates/gateway.yaml', 'helm/weir/values.yaml', 'kubernetes/values.yaml']) {
        const before = readFileSync(path.join(copy, 'deploy', file));
        appendFileSync(path.join(copy, 'deploy', file), '# more\n');
        expect([file, renderCheck(copy).status]).toEqual([file, 1]);
        writeFileSync(path.join(copy, 'deploy', file), before);
      }
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  });

  const validate = findKubernetesSchemas();
  testsIfThere("Kubernetes' schemas", validate !== null).test('are valid by the schemas of Kubernetes, which know a wrong one', () => {
    const own = files.filter((file) => !file.endsWith('service-monitor.yaml')).map((file) => path.join(MANIFESTS, file));
    expect(validate!(own)).toEqual({ valid: true, said: '' });
    const directory = mkdtempSync(path.join(tmpdir(), 'weir-manifest-'));
    const wrong = path.join(directory, 'gateway.yaml');
    writeFileSync(wrong, readFileSync(path.join(MANIFESTS, 'gateway.yaml'), 'utf8').replace(/replicas: \d+/, 'replicas: two'));
    expect(validate!([wrong]).valid).toBe(false);
    rmSync(directory, { recursive: true, force: true });
  });

  it('are a gateway, the admin REST, a worker and a migration', () => {
    expect(pods.map(([name, { kind }]) => `${kind} ${name}`).sort()).toEqual([
      'Deployment weir-control',
      'Deployment weir-worker',
      'Job weir-migrate',
      'StatefulSet weir-gateway',
    ]);
  });

  it('hold no secret', () => {
    expect(ofKind('Secret')).toEqual([]);
    const values = pods.flatMap(([, manifest]) => podOf(manifest).containers[0].env);
    expect(values.filter(({ name, value }) => /KEY|PASSWORD|_URL/.test(name) && !/^\/etc\/weir\//.test(value))).toEqual([]);
  });
});

describe.each(pods)('%s', (name, manifest) => {
  const pod = podOf(manifest);
  const [container] = pod.containers;

  it('is given variables that Weir knows, with values it accepts', () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'weir-secrets-'));
    const secrets = path.join(directory, 'etc/weir/secrets');
    mkdirSync(secrets, { recursive: true });
    writeFileSync(path.join(secrets, 'database-url'), 'postgresql://weir:a@db/weir\n');
    writeFileSync(path.join(secrets, 'master-key'), `${'a'.repeat(44)}\n`);
    writeFileSync(path.join(secrets, 'redis-url'), 'redis://cache:6379\n');
    const given = Object.fromEntries(
      container.env.map(({ name: variable, value }) => [variable, value.replace(/^\/etc/, `${directory}/etc`)]),
    );
    const config = readConfig(given, directory);
    expect(config.databaseUrl).toBe('postgresql://weir:a@db/weir');
    expect(config.redis).not.toBeNull();
    if (manifest.kind !== 'Job') {
      expect([...config.roles]).toEqual([name.replace('weir-', '')]);
      expect([config.demo, config.home, config.admin.host]).toEqual([false, '/var/lib/weir', '0.0.0.0']);
      const draining = config.drain.delayMs + (config.roles.has('gateway') ? config.drain.limitMs : 0);
      expect(pod.terminationGracePeriodSeconds! * 1_000).toBeGreaterThan(draining + 10_000);
    }
    rmSync(directory, { recursive: true, force: true });
  });

  it('runs as no one in particular, on a file system that cannot be written, without a token of the cluster or variables of its services', () => {
    expect(pod).toMatchObject({ enableServiceLinks: false, automountServiceAccountToken: false, securityContext: { runAsNonRoot: true } });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(container.resources).toEqual({ limits: expect.any(Object), requests: expect.any(Object) });
    const claims = manifest.spec.volumeClaimTemplates?.map((claim) => claim.metadata.name) ?? [];
    const there = new Set([...pod.volumes.map((volume) => volume.name), ...claims]);
    expect(container.volumeMounts.filter((mount) => !there.has(mount.name))).toEqual([]);
  });
});

describe.each(processes)('%s', (name, manifest) => {
  const [container] = podOf(manifest).containers;

  it('is asked for its health where it answers', () => {
    const isGateway = name.endsWith('gateway');
    for (const [probe, url] of [
      ['startupProbe', '/livez'],
      ['livenessProbe', '/livez'],
      ['readinessProbe', '/readyz'],
    ] as const)
      expect(container[probe]!.httpGet).toMatchObject({ path: url, port: isGateway ? 'public' : 'admin' });
    expect(container.ports).toEqual([
      ...(isGateway ? [{ name: 'public', containerPort: 8080 }] : []),
      { name: 'admin', containerPort: 8081 },
    ]);
  });

  it('keeps its pods apart from those of others, and some of them through a drain of nodes', () => {
    const labels = manifest.spec.template!.metadata.labels;
    expect(labels).toMatchObject(manifest.spec.selector!.matchLabels);
    const budget = ofKind('PodDisruptionBudget').find(({ metadata }) => metadata.name === name)!;
    expect(budget.spec).toMatchObject({ maxUnavailable: 1, selector: manifest.spec.selector });
  });
});

it('a gateway comes back to its own journal', () => {
  const [gateway] = ofKind('StatefulSet');
  const [container] = podOf(gateway!).containers;
  const home = container.env.find(({ name }) => name === 'WEIR_HOME')!.value;
  const mount = container.volumeMounts.find(({ mountPath }) => mountPath === home)!;
  expect(gateway!.spec.volumeClaimTemplates!.map(({ metadata }) => metadata.name)).toEqual([mount.name]);
  expect(gateway!.spec).toMatchObject({ persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' } });
  expect(ofKind('Service').map(({ metadata }) => metadata.name)).toContain(gateway!.spec.serviceName);
});

it('services lead to ports that pods have, and the autoscaler counts what Weir measures', () => {
  const ports = processes.flatMap(([, manifest]) => podOf(manifest).containers[0].ports!.map((port) => port.name));
  expect(
    ofKind('Service')
      .flatMap(({ spec }) => spec.ports!.map((port) => port.targetPort))
      .filter((port) => !ports.includes(port)),
  ).toEqual([]);
  const [autoscaler] = ofKind('HorizontalPodAutoscaler');
  const { name } = autoscaler!.spec.metrics![0]!.pods.metric;
  expect(readFileSync(path.join(ROOT, 'src/gateway/in-flight.ts'), 'utf8')).toContain(`metrics.watch('${name}'`);
});
