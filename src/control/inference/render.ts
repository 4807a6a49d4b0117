import type { z } from 'zod';
import { activeModel, type InferenceRoute, type NetworkBinding } from '../../inference-local/index.js';
import { publicId } from '../../kernel/ids.js';
import type { Capabilities } from '../../provider-accounts/index.js';
import { unixSeconds, unixSecondsOrNull } from '../http/fields.js';
import type { BindingObject, InferenceRouteObject } from './schema.js';

/** @param reason why calls cannot be sent there; null: they can. @param check null: it was not asked. */
export const renderRoute = (
  route: InferenceRoute,
  reason: string | null,
  check: Capabilities | null,
): z.input<typeof InferenceRouteObject> => ({
  object: 'inference_route',
  set_by: route.tenantId === null ? 'operator' : 'tenant',
  provider: route.provider,
  model: route.model,
  timeout_ms: route.timeoutMs,
  local: route.local && {
    provider: route.local.provider,
    model: route.local.model,
    probe_seconds: route.local.probeSeconds,
    healthy: route.local.healthy,
    since: unixSeconds(route.local.since),
    checked_at: unixSecondsOrNull(route.local.checkedAt),
  },
  active: activeModel(route),
  callable: reason === null,
  reason,
  check: check && { ok: check.ok, class: check.class, latency_ms: check.latency_ms, checked_at: check.checked_at },
  version: route.version,
  updated_at: unixSeconds(route.updatedAt),
});

export const renderBinding = (binding: NetworkBinding): z.input<typeof BindingObject> => ({
  id: publicId('binding', binding.id),
  object: 'inference_binding',
  kind: binding.kind,
  value: binding.value,
  project_id: publicId('project', binding.projectId),
  created_by: binding.createdBy,
  created_at: unixSeconds(binding.createdAt),
});
