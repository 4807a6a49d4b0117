// Lists what changed between two versions of the price catalog, for whoever updates it:
//
//   node scripts/compare-catalog.mjs <directory of the old @pydantic/genai-prices> [<of the new one; else the installed one>]
//
// The old one: `npm pack @pydantic/genai-prices@0.1.8` and unpack it. Ends with status 1 where something changed.
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const require = createRequire(import.meta.url);
const [old, fresh = 'node_modules/@pydantic/genai-prices'] = process.argv.slice(2);
if (!old) {
  console.error('usage: node scripts/compare-catalog.mjs <old package directory> [<new package directory>]');
  process.exit(2);
}

/** The vendors that Weir has types for. */
const VENDORS =
  'openai azure anthropic google aws deepseek openrouter mistral x-ai groq cohere moonshotai zai zhipuai together fireworks cerebras perplexity ovhcloud minimax novita baseten avian arcee cloudflare'.split(
    ' ',
  );

function pricesOf(directory) {
  const { findProvider } = require(resolve(directory));
  const models = VENDORS.flatMap((vendor) =>
    (findProvider({ providerId: vendor })?.models ?? []).map((model) => [`${vendor} ${model.id}`, model]),
  );
  return new Map(models.map(([name, { prices, match }]) => [name, { prices: JSON.stringify(prices), names: JSON.stringify(match) }]));
}

const before = pricesOf(old);
const after = pricesOf(fresh);
let changed = 0;
const tell = (line) => {
  changed++;
  console.log(line);
};
for (const [name, { prices, names }] of after) {
  const was = before.get(name);
  if (!was) tell(`added    ${name}  ${prices}`);
  else {
    if (was.prices !== prices) tell(`price    ${name}\n         was ${was.prices}\n         is  ${prices}`);
    if (was.names !== names) tell(`names    ${name}\n         was ${was.names}\n         is  ${names}`);
  }
}
for (const name of before.keys()) if (!after.has(name)) tell(`removed  ${name}`);
console.log(
  `${changed} changes. Compare those of models in test/support/current-rates.ts with the vendors' pages, and see whether src/prices/additions.ts is still needed.`,
);
process.exit(changed > 0 ? 1 : 0);
