import { Client } from 'pg';
import { EVERY_TENANT } from '../../src/platform/postgres/index.js';
import { RuntimeClient } from '../../src/platform/postgres/runtime-client.js';

const FILTER = /(?:(?:"?\w+"?\.)*"?tenant_id"?) = (\$\d+)(?!\d)(?:::\w+)?/g;
/** As the admin API's connections name themselves. */
const APPLICATION = 'weir-control';

interface Changed {
  /** How many statements were changed. */
  readonly changed: number;
  restore(): void;
}

interface Named {
  connectionParameters: { application_name: string };
}

type Query = (config: { text: string; values?: unknown[] } | string, ...rest: unknown[]) => unknown;

/** As if every query of the admin API had forgotten to ask for the rows of its tenant only. */
export const forgetFilters = (): Changed => rewrite((text, values) => [text.replace(FILTER, '$1::text IS NOT NULL'), values]);

/** As if Postgres showed the admin API every tenant. */
export function withoutRowSecurity(): Changed {
  const prototype = RuntimeClient.prototype;
  const original = prototype.enterValues;
  let changed = 0;
  prototype.enterValues = function (this: RuntimeClient & Named) {
    const values = original.call(this);
    if (this.connectionParameters.application_name !== APPLICATION) return values;
    changed++;
    return values.with(2, EVERY_TENANT);
  };
  return {
    get changed() {
      return changed;
    },
    restore: () => {
      prototype.enterValues = original;
    },
  };
}

function rewrite(change: (text: string, values: unknown[] | undefined) => [string, unknown[] | undefined]): Changed {
  const prototype = Client.prototype as unknown as { query: Query };
  const original = prototype.query;
  let changed = 0;
  prototype.query = function (this: Named, config, ...rest) {
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
