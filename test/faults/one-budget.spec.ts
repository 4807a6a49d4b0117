import { Agent } from 'node:http';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { brokenInvariants } from '../support/ledger.js';
import { sizeOf } from '../support/random.js';
import { call, type Seen } from './support/client.js';
import { PRICE, Rig } from './support/rig.js';

const GATEWAYS = sizeOf('FAULT_GATEWAYS', 4);
const CALLS = sizeOf('FAULT_PARALLEL', 128);
const FITTING = 37;
const TOKENS = 10_000;
const COST = PRICE.output * BigInt(TOKENS);

jest.setTimeout(120_000);

let database: TestDatabase;
let rig: Rig;

beforeAll(async () => {
  database = await createDatabase();
  const budget = `${(COST * BigInt(FITTING)) / 1_000_000_000n}.00`;
  rig = await Rig.start({ url: database.url, db: openPool(database.url) }, { budget, inputPrice: '0' });
});

afterAll(async () => {
  await rig?.stop();
  await rig?.db.end();
  await database?.drop();
});

test(`${GATEWAYS} gateways x ${CALLS} calls at once against one budget that fits ${FITTING}: ${FITTING} are served, to the nano-dollar`, async () => {
  rig.upstream.script = (seen, response) => {
    const usage = { prompt_tokens: 1, completion_tokens: seen.body.max_tokens! };
    seen.billed = usage;
    response.writeHead(200, { 'content-type': 'application/json' });
    const choices = [{ index: 0, message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop' }];
    response.end(JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'test-model', choices, usage }));
  };
  const gateways = await Promise.all(Array.from({ length: GATEWAYS }, (_, index) => rig.spawn(`gateway-${index}`)));
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  /** As a client does that is told to try again: while others hold what is left, nobody knows yet. */
  const insist = async (url: string): Promise<Seen> => {
    for (;;) {
      const seen = await call({ url, key: rig.tenant.apiKey, tag: TOKENS, stream: false, agent });
      if (seen.status !== 429 && seen.status !== 503) return seen;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const results = await Promise.all(gateways.flatMap(({ url }) => Array.from({ length: CALLS }, () => insist(url!))));
  agent.destroy();

  expect(results.filter(({ end }) => end === 'whole')).toHaveLength(FITTING);
  expect(results.filter(({ status }) => status === 402)).toHaveLength(GATEWAYS * CALLS - FITTING);
  expect(rig.upstream.calls).toHaveLength(FITTING);
  await rig.settled();
  const { rows } = await rig.db.query('SELECT spent, limit_nano FROM budget_periods');
  expect(rows).toEqual([{ spent: COST * BigInt(FITTING), limit_nano: COST * BigInt(FITTING) }]);
  expect(await brokenInvariants(rig.db)).toEqual([]);
});
