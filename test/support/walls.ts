import { Client } from 'pg';

const FILTER = /(?:(?:"?\w+"?\.)*"?tenant_id"?) = (\$\d+)(?!\d)(?:::\w+)?/g;
/** As the admin door's connections name themselves. */
const APPLICATION = 'weir-control';

interface Walls {
  /** How many statements were changed. */
  readonly changed: number;
  restore(): void;
}

type Query = (config: { text: string; values?: unknown[] } | string, ...rest: unknown[]) => unknown;

/** As if every query of the admin door had forgotten to ask for the rows of its tenant only. */
export const forgetFilters = (): Walls => rewrite((text, values) => [text.replace(FILTER, '$1::text IS NOT NULL'), values]);

/** As if Postgres showed the admin door every tenant. */
export const openWall = (): Walls =>
  rewrite((text, values) => [text, text.includes("set_config('weir.tenant'") ? ['*', ...(values ?? []).slice(1)] : values]);

function rewrite(change: (text: string, values: unknown[] | undefined) => [string, unknown[] | undefined]): Walls {
  const prototype = Client.prototype as unknown as { query: Query };
  const original = prototype.query;
  let changed = 0;
  prototype.query = function (this: { connectionParameters: { application_name: string } }, config, ...rest) {
    if (this.connectionParameters.application_name !== APPLICATION) return original.call(this, config, ...rest);
    const plain = typeof config === 'string';
    const [before, values] = plain ? [config, Array.isArray(rest[0]) ? rest[0] : undefined] : [config.text, config.values];
    const [text, given] = change(before, values);
    if (text !== before || given !== values) changed++;
    if (!plain) return original.call(this, Object.assign(config, { text, values: given }), ...rest);
    return original.call(this, text, ...(Array.isArray(rest[0]) ? [given, ...rest.slice(1)] : rest));
  };
  return {
    get changed() {
      return changed;
    },
    restore: () => {
      prototype.query = original;
    },
  };
}
