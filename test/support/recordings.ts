import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { testsIfThere } from './needs.js';

/** One recorded exchange with a provider, and what has to come of it. The README beside the recordings describes the fields. */
export interface Recording {
  id: string;
  provider: string;
  api: string;
  stream: boolean;
  http_status: number;
  /** Null: it was not recorded. */
  content_type: string | null;
  response_headers?: Record<string, string>;
  files: { request?: string; response: string };
  expected: {
    finish_reason_openai: string | null;
    text?: string;
    reasoning_text?: string;
    reasoning_signatures?: number;
    redacted_reasoning_blocks?: number;
    tool_calls?: { id: string | null; name: string; arguments: unknown }[];
    refusal?: string | null;
    usage?: {
      input_total: number | null;
      input_uncached: number | null;
      cache_read: number | null;
      cache_write: number | null;
      output_total: number | null;
      reasoning: number | null;
    } | null;
    error: unknown;
    upstream_id?: string | null;
    upstream_model?: string | null;
    embeddings?: { count: number; dimensions: number; first_values: number[][] | number[] };
    count_tokens?: { input_tokens: number };
  };
}

/** They lie beside the checkout, where they are there at all, and are never part of it. */
const DIRECTORY = join(__dirname, '..', '..', '..', 'shared', 'fixtures');

/** Every recording; none where they are absent. */
export const RECORDINGS: readonly Recording[] = existsSync(join(DIRECTORY, 'index.json'))
  ? JSON.parse(readFileSync(join(DIRECTORY, 'index.json'), 'utf8')).cases
  : [];

export const bytesOf = (file: string): Buffer => readFileSync(join(DIRECTORY, file));

/** `test.each` over recordings; where there are none, one test that says so. */
export function eachRecording(recordings: readonly Recording[], check: (recording: Recording) => unknown): void {
  if (recordings.length === 0) testsIfThere('the recorded provider traffic', false).test('the recordings are replayed', () => {});
  else test.each(recordings.map((one) => [one.id, one] as const))('%s', async (_id, one) => void (await check(one)));
}
