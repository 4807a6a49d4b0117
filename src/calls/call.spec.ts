import { NO_USAGE } from '../kernel/usage.js';
import { type CallRecord, renderCall } from './call.js';

const call = {
  tenantId: '',
  id: '',
  admittedAt: new Date(0),
  projectId: '',
  apiKeyId: '',
  tags: [],
  scopes: [],
  usage: NO_USAGE,
  usageRaw: null,
  cost: null,
  providerCost: 20n,
  ownProviderCost: 10n,
  attempts: [{ provider: 'up', credential: null, status: 200, reason: null, latency_ms: 7.123456789 }],
  firstByteMs: 12.345678901234,
  durationMs: 0.1 + 0.2,
} as Partial<CallRecord> as CallRecord;

test('times have three decimals at most', () => {
  expect(renderCall(call, 'tenant')).toMatchObject({ first_byte_ms: 12.346, duration_ms: 0.3, attempts: [{ latency_ms: 7.123 }] });
  expect(renderCall({ ...call, firstByteMs: null, durationMs: null }, 'tenant')).toMatchObject({ first_byte_ms: null, duration_ms: null });
});

test('what a provider takes is told in full to operators only', () => {
  expect(renderCall(call, 'operator')).toMatchObject({ provider_cost: '0.00000002' });
  expect(renderCall(call, 'tenant')).toMatchObject({ provider_cost: '0.00000001' });
});
