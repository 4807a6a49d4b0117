import type { z } from 'zod';
import { publicId } from '../../kernel/ids.js';
import { formatUsd } from '../../kernel/money.js';
import type { Holding, SilentGateway } from '../../ledger/index.js';
import { unixSecondsOrNull } from '../http/fields.js';
import type { ForgottenGateway, GatewayObject, HoldingObject } from './schema.js';

const renderHolding = ({ calls, amount }: Holding): z.input<typeof HoldingObject> => ({ calls, amount: formatUsd(amount) });

export const renderGateway = (gateway: SilentGateway): z.input<typeof GatewayObject> => ({
  id: publicId('gateway', gateway.id),
  object: 'gateway',
  host: gateway.host,
  process_id: gateway.processId,
  started_at: unixSecondsOrNull(gateway.startedAt),
  last_seen_at: unixSecondsOrNull(gateway.lastSeenAt),
  open: renderHolding(gateway.open),
  held_apart: renderHolding(gateway.heldApart),
  currency: 'usd',
  gone_at: unixSecondsOrNull(gateway.goneAt),
});

export const renderForgotten = (id: string, booked: number, freed: Holding): z.input<typeof ForgottenGateway> => ({
  id: publicId('gateway', id),
  object: 'gateway',
  forgotten: true,
  booked,
  freed: renderHolding(freed),
  currency: 'usd',
});
