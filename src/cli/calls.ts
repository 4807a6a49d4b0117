import { setTimeout as pause } from 'node:timers/promises';
import { ROWS } from './commands.js';
import { printList } from './output.js';
import type { Session } from './session.js';

const EVERY_MS = 1_000;
const PATH = '/v1/organization/calls';

/** Prints each call once, as it ends. Never resolves. */
export async function tailCalls({ client, form }: Session): Promise<void> {
  const columns = ROWS.find(({ command }) => command === 'call list')!.columns!.split(' ');
  let after = (await client.request('GET', PATH, { query: { limit: 1 } }))['last_id'];
  for (;;) {
    const page = await client.request('GET', PATH, { query: { order: 'asc', after, limit: 100 } });
    printList(page['data'] as never, columns, { ...form, out: { write: (text) => form.out.write(text) } });
    after = page['last_id'] ?? after;
    if (!page['has_more']) await pause(EVERY_MS);
  }
}
