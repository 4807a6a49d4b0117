import { Worker } from 'node:worker_threads';
import type { TokensOf } from '../dialects/index.js';
import { Turns } from '../kernel/turns.js';
import { type Encoding, rulesOf } from '../model-rules/index.js';

/** Given to the worker at once: at most this much work before another tenant's texts have their turn. */
const BATCH = { characters: 20_000, texts: 1_000 };

interface Batch {
  texts: string[];
  encoding: Encoding;
  done(tokens: number): void;
  failed(error: Error): void;
}

/**
 * Counts tokens on a thread of its own: the tables of an encoding take a third of a second to load, and odd texts take long to count. One batch
 * at a time; tenants take turns.
 */
class TokenCounter {
  private readonly waiting = new Turns<Batch>();
  private current: Batch | null = null;
  private worker: Worker | null = null;

  add(tenantId: string, batch: Batch): void {
    this.waiting.add(tenantId, batch);
    this.next();
  }

  private next(): void {
    if (this.current) return;
    const [batch] = this.waiting.take(1);
    if (!batch) return void this.worker?.unref();
    this.current = batch;
    this.worker ??= this.start();
    this.worker.ref();
    this.worker.postMessage({ path: PATHS[batch.encoding], texts: batch.texts });
  }

  private start(): Worker {
    const worker = new Worker(COUNTING, { eval: true, name: 'tokens' });
    const lost = (error: Error) => {
      if (this.worker !== worker) return;
      this.worker = null;
      this.end((batch) => batch.failed(error));
    };
    return worker
      .on('message', (tokens: number) => this.end((batch) => batch.done(tokens)))
      .on('error', lost)
      .on('exit', () => lost(new Error('the thread that counts tokens has ended')));
  }

  private end(tell: (batch: Batch) => void): void {
    const batch = this.current;
    this.current = null;
    if (batch) tell(batch);
    this.next();
  }
}

/** Text that spells a control token is text. On Linux a thread has a priority of its own: where cores are few, calls go first. */
const COUNTING = `
const { parentPort } = require('node:worker_threads');
try { require('node:os').setPriority(10); } catch {}
const options = { disallowedSpecial: new Set() };
parentPort.on('message', ({ path, texts }) => {
  const { countTokens } = require(path);
  parentPort.postMessage(texts.reduce((sum, text) => sum + countTokens(text, options), 0));
});
`;

const PATHS: Readonly<Record<Encoding, string>> = {
  o200k_harmony: require.resolve('gpt-tokenizer/encoding/o200k_harmony'),
  o200k_base: require.resolve('gpt-tokenizer/encoding/o200k_base'),
  cl100k_base: require.resolve('gpt-tokenizer/encoding/cl100k_base'),
};

const counter = new TokenCounter();

/**
 * Counts the tokens of texts, each by itself.
 * @param texts short ones: a tokenizer may take quadratic time.
 * @param enough stops when more than this are counted.
 */
export async function countTokens(
  tenantId: string,
  texts: Iterable<string>,
  encoding: Encoding,
  enough = Number.POSITIVE_INFINITY,
): Promise<number> {
  let tokens = 0;
  for (const batch of batchesOf(texts)) {
    tokens += await new Promise<number>((done, failed) => counter.add(tenantId, { texts: batch, encoding, done, failed }));
    if (tokens > enough) break;
  }
  return tokens;
}

function* batchesOf(texts: Iterable<string>): Generator<string[]> {
  let batch: string[] = [];
  let characters = 0;
  for (const text of texts) {
    batch.push(text);
    characters += text.length;
    if (characters < BATCH.characters && batch.length < BATCH.texts) continue;
    yield batch;
    batch = [];
    characters = 0;
  }
  if (batch.length > 0) yield batch;
}

/** The tokenizer of a model's family; undefined: it is not at hand. */
export function tokenizerOf({ model, modelRulesOf }: { model: string; modelRulesOf: string | undefined }): TokensOf | undefined {
  const encoding = rulesOf(modelRulesOf ?? model).encoding;
  return encoding === null ? undefined : (text) => TOKENIZERS[encoding]().countTokens(text, ALLOW_ALL);
}

/** Their tables take a third of a second: a process loads them before its first call, so that no call waits for them. */
export function loadTokenizers(): void {
  for (const tokenizer of Object.values(TOKENIZERS)) tokenizer().countTokens('Weir', ALLOW_ALL);
}

const ALLOW_ALL = { disallowedSpecial: new Set<string>() };

type Tokenizer = Pick<typeof import('gpt-tokenizer/encoding/o200k_base'), 'countTokens'>;

/** For the short pieces of an answer, on this thread. */
const TOKENIZERS: Readonly<Record<Encoding, () => Tokenizer>> = {
  o200k_harmony: () => require('gpt-tokenizer/encoding/o200k_harmony'),
  o200k_base: () => require('gpt-tokenizer/encoding/o200k_base'),
  cl100k_base: () => require('gpt-tokenizer/encoding/cl100k_base'),
};
