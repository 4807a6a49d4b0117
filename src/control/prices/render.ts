import type { z } from 'zod';
import { publicId } from '../../kernel/ids.js';
import { formatUsd } from '../../kernel/money.js';
import { formatRates, type Price, renderRates, type UploadPlan } from '../../prices/index.js';
import type { Rerated } from '../../quotas/index.js';
import { unixSeconds } from '../http/fields.js';
import type { CatalogObject, PriceObject, RerateObject } from './schema.js';

export const renderPrice = (price: Price, unused: string | null): z.input<typeof PriceObject> => ({
  id: publicId('price', price.id),
  object: 'price',
  provider: price.provider,
  model: price.model,
  ...renderRates(price.rates),
  tiers: price.tiers.map((tier) => ({ above_input_tokens: tier.aboveInputTokens, ...formatRates(tier.rates) })),
  effective_at: unixSeconds(price.effectiveAt),
  source: price.source,
  notes: price.notes,
  unused,
  created_at: unixSeconds(price.createdAt),
});

export const renderCatalog = ({ changes, unchanged, digest }: UploadPlan, dryRun: boolean): z.input<typeof CatalogObject> => ({
  object: 'price_catalogue',
  dry_run: dryRun,
  digest,
  added: changes.length,
  unchanged,
  flagged: changes.filter(({ flag }) => flag !== null).length,
  changes: changes.map(({ price, before, flag }) => ({
    provider: price.provider,
    model: price.model,
    effective_at: price.effectiveAt && unixSeconds(price.effectiveAt),
    before: before && formatRates(before.rates),
    after: formatRates(price.rates),
    flag,
  })),
});

export const renderRerate = (rerated: Rerated, dryRun: boolean): z.input<typeof RerateObject> => ({
  object: 'rerate',
  dry_run: dryRun,
  calls: rerated.calls,
  changed: rerated.changed,
  unpriced: rerated.unpriced,
  charged: formatUsd(rerated.charged),
  corrected: formatUsd(rerated.corrected),
  difference: formatUsd(rerated.corrected - rerated.charged),
  currency: 'usd',
  changes: rerated.changes.map(({ callId, charged, corrected }) => ({
    call_id: publicId('call', callId),
    charged: charged === null ? null : formatUsd(charged),
    corrected: formatUsd(corrected),
  })),
});
