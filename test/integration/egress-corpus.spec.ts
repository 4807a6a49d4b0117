import { DestinationGuard, DestinationRefused, type Egress } from '../../src/platform/egress/index.js';
import { clientOf } from '../e2e/admin/client.js';
import { ConnectSpy } from '../support/connect-spy.js';
import { address, openEgress, scriptedNames, sendTo } from '../support/egress.js';
import { forbiddenUrls } from '../support/forbidden-urls.js';
import { Random, sizeOf } from '../support/random.js';
import { ScriptedUpstream } from '../support/upstream.js';
import { createTenant, startTestWeir } from '../support/weir.js';

const random = Random.ofRun('egress corpus');
const corpus = forbiddenUrls(random, sizeOf('EGRESS_ADDRESSES', 1));
/** How many are also sent to the admin REST. */
const SAMPLE = sizeOf('EGRESS_SAMPLE', 300);

jest.setTimeout(120_000);

test('the corpus has at least 10,000 different addresses', () =>
  expect(new Set(corpus.map(({ text }) => text)).size).toBeGreaterThan(10_000));

test('a forbidden address is refused when it is saved, however it is written', () => {
  const guard = new DestinationGuard([]);
  const accepted = corpus.filter(({ text, atSave }) => atSave && !isRefused(() => guard.parse(text)));
  expect(accepted).toEqual([]);
});

test('what is accepted when it is saved is a name, and the same name for whoever connects', () => {
  const guard = new DestinationGuard([]);
  for (const { text } of corpus.filter(({ atSave }) => !atSave)) {
    const url = guard.parse(text);
    expect(new URL(url.origin).hostname).toBe(url.hostname);
    expect(url.hostname).toMatch(/^[a-z0-9.-]+\.[a-z]+$/);
  }
});

describe('at use', () => {
  let spy: ConnectSpy;
  let egress: Egress;

  beforeEach(() => {
    spy = new ConnectSpy();
  });
  afterEach(async () => {
    spy.stop();
    await egress.close();
  });

  test('no connection is begun to any of them, had one been saved all the same', async () => {
    egress = openEgress([], scriptedNames([address('10.1.2.3')]).lookup);
    const reached: string[] = [];
    for (const { text } of corpus) {
      const origin = URL.canParse(text) ? new URL(text).origin : text;
      const { error, sending } = await sendTo(egress, origin);
      if (!error || sending) reached.push(text);
    }
    expect(reached).toEqual([]);
    expect(spy.attempts).toEqual([]);
  });

  test('the spy is not blind: what is allowed is seen', async () => {
    const upstream = await ScriptedUpstream.start();
    egress = openEgress([upstream.hostPort]);
    await sendTo(egress, `http://${upstream.hostPort}`);
    expect(spy.attempts).toEqual([upstream.hostPort]);
    await upstream.stop();
  });

  test('what the deployment allows opens neither the metadata services nor, as a network, this machine', async () => {
    egress = openEgress(
      ['0.0.0.0/0:443', '[::]/0:443', '169.254.169.254:80', 'metadata.google.internal:80', 'inside.example:80'],
      scriptedNames([address('169.254.169.254')]).lookup,
    );
    const hosts = ['https://127.0.0.1', 'https://[::1]', 'https://[::ffff:127.0.0.1]', 'https://169.254.169.254', 'https://168.63.129.16'];
    const names = ['http://169.254.169.254', 'http://metadata.google.internal', 'http://inside.example', 'https://any.example'];
    for (const origin of [...hosts, ...names]) expect((await sendTo(egress, origin)).error).not.toBeNull();
    expect(spy.attempts).toEqual([]);
  });
});

test('the admin REST refuses a sample of them, and nothing is stored', async () => {
  const weir = await startTestWeir();
  try {
    const tenant = await createTenant(weir);
    const send = clientOf(weir, tenant.adminKey);
    const wrong: unknown[] = [];
    for (let i = 0; i < SAMPLE; i++) {
      const { text } = random.pick(corpus.filter(({ atSave }) => atSave));
      const { status, body } = await send('POST', '/v1/organization/providers', {
        name: `p${i}`,
        type: 'openai',
        base_url: text,
        key: 'sk-1',
      });
      if (status !== 400 || body.error.param !== 'base_url') wrong.push([text, status, body]);
    }
    expect(wrong).toEqual([]);
    expect((await send('GET', '/v1/organization/providers')).body.data).toEqual([]);
  } finally {
    await weir.stop();
  }
});

function isRefused(parse: () => unknown): boolean {
  try {
    parse();
    return false;
  } catch (error) {
    if (error instanceof DestinationRefused) return true;
    throw error;
  }
}
